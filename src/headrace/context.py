"""What a stage function sees of its run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from headrace.core.ports import Judge, Tracker
from headrace.core.record import RunRecord, StageRecord
from headrace.errors import Pruned


class Display(Protocol):
    """Shows a run while it goes on. Called from several threads."""

    def run_started(self, record: RunRecord, stages: int) -> None: ...

    def stage_started(self, name: str, reason: str) -> None: ...

    def stage_finished(self, stage: StageRecord) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(
        self, stage: str, description: str, total: int
    ) -> AbstractContextManager[Callable[[str], None]]: ...

    def close(self) -> None: ...


class StageContext:
    """Implements `core.ports.Context` for one stage of one run."""

    def __init__(
        self,
        stage: str,
        seed: int,
        workdir: Path,
        tracker: Tracker,
        display: Display,
        judge: Judge | None = None,
    ) -> None:
        self.seed = seed
        self.workdir = workdir
        self._stage = stage
        self._tracker = tracker
        self._display = display
        self._judge = judge

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._tracker.log({f"{self._stage}/{name}": value for name, value in metrics.items()}, step)

    def report(self, step: int, value: float) -> None:
        self._tracker.log({f"{self._stage}/interim": value}, step)
        score = float(value)  # a numpy scalar would not fit a search's storage
        if self._judge is not None and math.isfinite(score) and self._judge(step, score):
            raise Pruned.at(self._stage, step)

    def progress(self, description: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        return self._display.progress(self._stage, description, total)
