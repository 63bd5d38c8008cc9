"""What both tasks share: which rows are measured, and the document that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError
from headrace.stages.evaluate.document import Entry, Subject, measure_subjects
from headrace.stages.evaluate.resample import check_interval
from headrace.stages.evaluate.slices import cut_rows
from headrace.stages.evaluate.weighting import read_weights

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from headrace.core.ports import Context

SLICES = "stages.evaluate.params.slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the test rows, whatever the task."""

    rows: pd.DataFrame | None
    slices: Sequence[Any]
    weights: str | None
    bootstrap: int
    level: float
    max_groups: int
    context: Context | None

    @property
    def seed(self) -> int:
        return self.context.seed if self.context else 0

    def check(self, n_rows: int) -> np.ndarray:
        """Return the rows' weights. Raises `StageError` for options and rows that do not fit."""
        check_interval(self.bootstrap, self.level)
        if not n_rows:
            raise StageError("there are no test rows to measure on")
        if self.rows is not None and len(self.rows) != n_rows:
            raise StageError(
                f"the test rows are {len(self.rows):,} and their features {n_rows:,}; a stage that makes"
                " features keeps each row and their order, or stages.evaluate.inputs.rows names its rows"
            )
        return read_weights(self.rows, self.weights, n_rows)


def judge(question: Question, whole: Subject, weights: np.ndarray) -> dict[str, Any]:
    """Return what the document says of figures: `metrics` of all rows, and `slices`.

    Slices are measured on the same resamples as the whole, so their intervals let the size of a
    group vary as it does by chance. They have no baseline.
    """
    cuts = cut_rows(question.rows, question.slices, SLICES, question.max_groups)
    subjects = {"": whole}
    for cut in cuts:
        for group in cut.groups:
            subjects[group.name] = _part(whole, group.rows)
    found = measure_subjects(subjects, weights, question.bootstrap, question.level, question.seed)
    return {
        "metrics": found[""],
        "slices": [
            cut.describe()
            | {"groups": [_told(group.name, len(group.rows), found[group.name]) for group in cut.groups]}
            for cut in cuts
        ],
    }


def _part(whole: Subject, rows: np.ndarray) -> Subject:
    champion = None if whole.champion is None else whole.champion.take(rows)
    return replace(whole, rows=rows, candidate=whole.candidate.take(rows), champion=champion, baseline=None)


def _told(name: str, n_rows: int, metrics: dict[str, Entry]) -> dict[str, Any]:
    shown = {
        metric: {key: value for key, value in entry.items() if key != "baseline"}
        for metric, entry in metrics.items()
    }
    return {"name": name, "rows": n_rows, "metrics": shown}
