"""The newest rows are measured against those of the training, column by column."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from headrace.serving.drift_gauges import DriftWatch, find_index, stability_index
from headrace.stages.profile import profile_table


def table(seed: int, shift: float = 0.0, places: str = "nnse") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(shift, 1.0, 2000)
    size[::10] = np.nan
    return pd.DataFrame({"size": size, "place": rng.choice(list(places), 2000)})


def measured(now: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    watch = DriftWatch(profile_table(table(0)), 1000, found.__setitem__)
    for start in range(0, len(now), 100):
        part = now.iloc[start : start + 100]
        columns = {name: part[name].where(part[name].notna(), None).tolist() for name in part.columns}
        watch.take(columns, len(part))
    watch.measure()
    return found


def test_rows_like_those_of_the_training_have_not_moved() -> None:
    """Below 0.1 little has changed, by the usual reading of the index."""
    found = measured(table(1))
    assert found["size"] < 0.1
    assert found["place"] < 0.1


def test_a_shift_and_an_unknown_category_are_seen() -> None:
    """Above 0.25 much has changed."""
    found = measured(table(1, shift=1.0, places="nnsx"))
    assert found["size"] > 0.25
    assert found["place"] > 0.25


def test_only_the_newest_rows_count() -> None:
    """What came before them has left."""
    old, new = table(1, shift=3.0), table(2)
    assert measured(pd.concat([old, new], ignore_index=True))["size"] < 0.1


def test_large_requests_are_let_go_of() -> None:
    """A watch holds neither the texts of its rows nor more rows than count, and says the same of them."""
    watch = DriftWatch(profile_table(table(0)), 100, lambda *_: None)
    text = "x" * 1_000_000
    held = sys.getrefcount(text)
    for rows in (50, 100_000):
        watch.take({"size": [1.0] * rows, "place": [text] * rows}, rows)
    assert sys.getrefcount(text) == held
    assert [len(columns["place"]) for _, columns in watch._kept] == [100]


def test_the_index_is_the_formula() -> None:
    """(p - q) ln(p / q), summed; two equal rows are 0."""
    assert stability_index([50, 50], [100, 100]) == pytest.approx(0)
    wanted = (0.75 - 0.5) * np.log(0.75 / 0.5) + (0.25 - 0.5) * np.log(0.25 / 0.5)
    assert stability_index([50, 50], [75, 25]) == pytest.approx(wanted)


def test_times_and_columns_without_values_are_not_compared() -> None:
    """Times move by themselves, and of nothing nothing is said."""
    times = pd.DataFrame({"at": pd.date_range("2026-01-01", periods=5, unit="ms"), "empty": [None] * 5})
    for column in profile_table(times)["columns"]:
        assert find_index({**column, "rows": 5}, [1, 2]) is None
    (column,) = profile_table(pd.DataFrame({"a": [1.0, 2.0]}))["columns"]
    assert find_index({**column, "rows": 2}, []) is None
