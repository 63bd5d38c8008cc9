"""Predictions to log, and what counts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.serving import Answers
from headrace.serving.roles import Prediction

NOON = 1_764_000_000.25  # 2025-11-24T16:00:00.250Z

SIGNATURE = ModelSignature(
    inputs=(
        InputColumn(name="length", dtype="float64", nullable=True),
        InputColumn(name="id", dtype="int64"),
        InputColumn(name="colour", dtype="category"),
        InputColumn(name="seen", dtype="datetime64[ms, UTC]"),
        InputColumn(name="mail", dtype="str", private="hash"),
        InputColumn(name="name", dtype="str", private="leave_out"),
    ),
    task="classification",
    dtype="str",
    classes=("no", "yes"),
    probabilities=True,
)


class Counts:
    """Counts what the log tells, as the service's metrics do."""

    def __init__(self) -> None:
        self.committed = self.dropped = self.failed = 0

    def logged(self, rows: int) -> None:
        self.committed += rows

    def log_dropped(self, rows: int) -> None:
        self.dropped += rows

    def log_failed(self) -> None:
        self.failed += 1


def predict(
    request: str,
    rows: int = 1,
    columns: Mapping[str, list[Any]] | None = None,
    probabilities: bool = False,
    **more: Any,
) -> Prediction:
    """Make an answered request; the first prediction is yes, the others no."""
    given = {
        "length": [1.5] * rows,
        "id": list(range(rows)),
        "colour": ["red"] * rows,
        "seen": [datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)] * rows,
        "mail": ["a@b.example"] * rows,
        "name": ["Ann"] * rows,
    }
    answers = Answers(
        predictions=np.array(["yes", *["no"] * (rows - 1)], dtype=object),
        probabilities=np.full((rows, 2), 0.5) if probabilities else None,
    )
    about = {"time": NOON, "model": "birds", "version": 3, "role": "stable", "seconds": 0.004, **more}
    return Prediction(
        id=request, signature=SIGNATURE, columns={**given, **(columns or {})}, answers=answers, **about
    )
