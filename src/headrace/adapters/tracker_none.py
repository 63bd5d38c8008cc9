"""No tracking: the record in `.headrace/runs` is all there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


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
    ) -> None:
        pass

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        pass

    def attach(self, name: str, kind: str, files: Mapping[str, Path], metadata: Mapping[str, Any]) -> None:
        pass

    def finish(self, state: str, summary: Mapping[str, Any]) -> None:
        pass

    def info(self) -> dict[str, Any]:
        return {}
