"""A context that does nothing, and a table that has everything a table may have."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


class Still:
    """A context that keeps what is logged, and the steps of interim scores."""

    seed = 11

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.logged: list[str] = []
        self.reported: list[int] = []

    def log(self, metrics: Any, step: int | None = None) -> None:
        self.logged += metrics

    def report(self, step: int, value: float) -> None:
        self.reported.append(step)

    def progress(self, description: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda note: None)


@pytest.fixture
def context(tmp_path: Path) -> Still:
    return Still(tmp_path)


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """400 rows: numbers with gaps, whole numbers, text, categories, truth values, a constant, an id."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=400)
    kind = rng.choice(["p", "q", "r"], 400)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(400) < 0.05, np.nan, size),
            "number": rng.integers(0, 40, 400),
            "kind": kind,
            "place": pd.Categorical(rng.choice(list("abcdefghijklmno"), 400)),
            "flag": rng.random(400) < 0.5,
            "constant": 1.0,
            "id": range(400),
        }
    )
    frame["score"] = 2 * size + (kind == "p") + rng.normal(0, 0.3, 400)
    frame["label"] = np.where(frame["score"] > 0.5, "yes", "no")
    frame["truth"] = frame["score"] > 0.5
    frame["letter"] = [chr(97 + at) for at in pd.qcut(frame["score"], 26, labels=False)]
    return frame
