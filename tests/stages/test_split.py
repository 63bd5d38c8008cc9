"""Splitting: fair by chance, or honest in time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from headrace.errors import StageError
from headrace.stages import split

SEED: Any = SimpleNamespace(seed=7)


@pytest.fixture
def valid() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": range(100), "when": [n // 10 for n in range(100)], "kind": ["a"] * 80 + ["b"] * 20}
    )


def test_chance_keeps_class_shares_and_repeats_for_a_seed(valid: pd.DataFrame) -> None:
    """The parts cover all rows, keep shares, and are the same for the same seed."""
    one, two = (split.split_randomly(valid, "kind", "binary", SEED, 0.25) for _ in range(2))
    pd.testing.assert_frame_equal(one["test"], two["test"])
    assert one["test"]["kind"].value_counts().to_dict() == {"a": 20, "b": 5}
    assert sorted([*one["train"]["x"], *one["test"]["x"]]) == list(range(100))


def test_time_keeps_each_moment_on_one_side(valid: pd.DataFrame) -> None:
    """Everything in test comes after everything in train, even where moments repeat."""
    shuffled = valid.sample(frac=1, random_state=0)
    parts = split.split_by_time(shuffled, "x", "regression", "when", 0.25)
    assert parts["train"]["when"].max() < parts["test"]["when"].min()
    assert len(parts["test"]) == 30


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "a"}, "has one class, 'a'"),
        ({"kind": [None] + ["a"] * 50 + ["b"] * 49}, r"misses 1 of 100 values \(rows 0\)"),
        ({"kind": ["c"] + ["a"] * 50 + ["b"] * 49}, "class 'c' has one row"),
    ],
)
def test_a_bad_target_is_told(valid: pd.DataFrame, change: dict[str, Any], told: str) -> None:
    """One class, missing labels and a class too rare to divide each stop the run."""
    with pytest.raises(StageError, match=told):
        split.split_randomly(valid.assign(**change), "kind", "binary", SEED)


def test_a_missing_target_offers_the_near_name(valid: pd.DataFrame) -> None:
    """A misspelt target is told the column's name."""
    with pytest.raises(StageError, match=r"did you mean kind\?"):
        split.split_randomly(valid, "kid", "binary", SEED)


def test_one_class_before_the_cut_is_refused(valid: pd.DataFrame) -> None:
    """A time split that leaves one class to learn from says so."""
    with pytest.raises(StageError, match="has one class"):
        split.split_by_time(valid, "kind", "binary", "when")
