"""No tracking: the record in `.headrace/runs` is all there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.core.lineage import Reference
from headrace.core.ports import Table


class NoTracker:
    """A tracker that tells nobody."""

    def warm_up(self) -> None:
        pass

    def start(
        self,
        run_id: str,
        experiment: str,
        config: Mapping[str, Any],
        tags: Sequence[str],
        group: str | None = None,
        job_type: str = "train",
    ) -> None:
        pass

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        pass

    def use(self, reference: Reference) -> None:
        pass

    def attach(
        self,
        name: str,
        kind: str,
        files: Mapping[str, Path],
        metadata: Mapping[str, Any],
        tables: Mapping[str, Table | Path] | None = None,
    ) -> None:
        pass

    def model(self, reference: Reference, files: Callable[[], Mapping[str, Path]]) -> None:
        pass

    def published(self, reference: Reference, version: int, aliases: Sequence[str]) -> None:
        pass

    def alert(self, title: str, text: str) -> None:
        pass

    def finish(self, state: str, summary: Mapping[str, Any]) -> None:
        pass

    def info(self) -> dict[str, Any]:
        return {}
