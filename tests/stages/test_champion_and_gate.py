"""Evaluation and gate together: a candidate against a champion, on real models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from headrace.stages.evaluate import classification
from headrace.stages.gate import check_thresholds

ROWS = 400


class Rule(ClassifierMixin, BaseEstimator):
    """Says what the column named `said` says, whatever it was fitted on."""

    def __init__(self, said: str) -> None:
        self.said = said

    def fit(self, x: pd.DataFrame, y: np.ndarray) -> Rule:
        self.classes_ = np.unique(y)
        return self

    def predict(self, x: pd.DataFrame) -> np.ndarray:
        return x[self.said].to_numpy()


def judged(**rules: Any) -> dict[str, Any]:
    """Judge a candidate that is better on the many men, and worse on the few women, than the champion."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, ROWS)
    woman = np.arange(ROWS) < ROWS // 5
    wrong_old = np.where(woman, 0.05, 0.3) > rng.random(ROWS)
    wrong_new = np.where(woman, 0.25, 0.1) > rng.random(ROWS)
    rows = pd.DataFrame(
        {
            "sex": np.where(woman, "female", "male"),
            "old": np.where(wrong_old, 1 - truth, truth),
            "new": np.where(wrong_new, 1 - truth, truth),
        }
    )
    target = pd.Series(truth, name="y")
    found = classification(
        Rule("new").fit(rows, truth),
        rows,
        target,
        rows=rows,
        champion=Rule("old").fit(rows, truth),
        slices=["sex"],
    )
    gate: dict[str, Any] = check_thresholds(found["metrics"], found["evaluation"], **rules)["gate"]
    return gate


def test_better_overall_passes_where_nobody_asks_for_slices() -> None:
    """It gains, and by more than chance."""
    gate = judged(thresholds={"accuracy": {"min_gain": 0.0, "interval": True}})
    assert gate["passed"]


def test_worse_on_one_slice_is_stopped() -> None:
    """The same candidate: the verdict names the group that loses, and not the one that gains."""
    gate = judged(
        thresholds={"accuracy": {"min_gain": 0.05}}, slices={"sex": {"accuracy": {"max_drop": 0.02}}}
    )
    assert not gate["passed"]
    failed = [
        (check["metric"], check["slice"], check["rule"]) for check in gate["checks"] if not check["passed"]
    ]
    assert failed == [("accuracy", "sex=female", "max_drop")]
