"""How far `find_drift` says that two tables are from each other."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from headrace.stages.drift import find_drift, jensen_shannon, normed_wasserstein

RNG = np.random.default_rng(0)
MANY = 4000


def compare(before: object, now: object, **limits: float) -> dict[str, Any]:
    found = find_drift(pd.DataFrame({"x": before}), pd.DataFrame({"x": now}), **limits)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return dict(found["columns"][0])


@settings(deadline=None, max_examples=60)
@given(*[st.lists(st.floats(-100, 100) | st.integers(0, 4).map(float), min_size=1, max_size=40)] * 2)
def test_the_wasserstein_distance_is_scipys(before: list[float], now: list[float]) -> None:
    """In standard deviations of the reference."""
    reference, current = np.array(before), np.array(now)
    scale = reference.std() or np.concatenate([reference, current]).std() or 1.0
    wanted = stats.wasserstein_distance(reference, current) / scale
    assert normed_wasserstein(reference, current) == pytest.approx(wanted, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 50)] * 2), min_size=1, max_size=8))
def test_the_jensen_shannon_distance_is_scipys(counts: list[tuple[int, int]]) -> None:
    """In natural units; from 0 to the root of ln 2."""
    reference, current = np.array([(1, 1), *counts], dtype=float).T
    wanted = distance.jensenshannon(reference, current)
    assert jensen_shannon(reference, current) == pytest.approx(float(np.nan_to_num(wanted)), abs=1e-7)
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(np.sqrt(np.log(2)))


def test_numbers_in_few_rows_are_tested() -> None:
    """By Kolmogorov and Smirnov: the same draws do not drift, shifted ones do."""
    before, now = RNG.normal(size=300), RNG.normal(size=200)
    found = compare(before, now)
    wanted = stats.ks_2samp(before, now)
    assert (found["method"], found["value"], found["p_value"]) == ("ks", wanted.statistic, wanted.pvalue)
    assert (found["drifted"], found["threshold"]) == (False, 0.05)
    assert compare(before, now + 1)["drifted"] is True


def test_numbers_in_many_rows_are_measured() -> None:
    """A shift by less than a tenth of a standard deviation is none, one by more is; p values have no say."""
    before = RNG.normal(10, 5, size=MANY)
    near, far = compare(before, before + 0.3), compare(before, before + 1)
    assert (near["method"], near["drifted"], near["p_value"]) == ("wasserstein", False, None)
    assert near["value"] == pytest.approx(0.06, abs=0.002)
    assert (far["drifted"], far["value"]) == (True, pytest.approx(0.2, abs=0.005))
    assert compare(before, before + 1, distance=0.3)["drifted"] is False


def test_categories_in_few_and_in_many_rows() -> None:
    """Few are tested by chi-squared, many measured by Jensen and Shannon."""
    before, now = ["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 60 + ["c"] * 10
    few = compare(before, now)
    wanted = stats.chi2_contingency([[60, 40, 0], [30, 60, 10]], correction=False)
    assert (few["method"], few["drifted"]) == ("chi_squared", True)
    assert (few["value"], few["p_value"]) == (pytest.approx(wanted.statistic), pytest.approx(wanted.pvalue))
    many = compare(before * 20, now * 20)
    assert (many["method"], many["drifted"]) == ("jensen_shannon", True)
    assert many["value"] == pytest.approx(distance.jensenshannon([0.6, 0.4, 0], [0.3, 0.6, 0.1]))
    assert compare(before, before)["p_value"] == 1.0
    assert compare(["a"] * 9, ["a"] * 7)["drifted"] is False


def test_the_type_of_a_category_says_nothing() -> None:
    """Strings, a categorical and truth values with the same names are the same."""
    truth = [True, False] * 30
    assert compare(truth, [str(value) for value in truth])["drifted"] is False
    assert compare(pd.Categorical(["a", "b"] * 9), ["a", "b"] * 9)["value"] == 0.0


def test_missing_values_that_come_or_go() -> None:
    """A share that changes by a tenth is drift, whatever the other values are."""
    values = RNG.normal(size=100)
    holes = values.copy()
    holes[:20] = np.nan
    found = compare(values, holes)
    assert found["missing"] == [0.0, 0.2]
    assert (found["drifted"], found["why"]) == (True, "the share of missing values changed")
    gone = compare(values, np.full(10, np.nan))
    assert (gone["method"], gone["drifted"]) == (None, True)


@pytest.mark.parametrize(
    ("before", "now", "drifted", "why"),
    [
        ([1, 2], ["a", "b"], True, "was number, is category"),
        (pd.to_datetime(["2026-01-01"]), pd.to_datetime(["2026-02-01"]), None, "times are not compared"),
        ([f"a{n}" for n in range(200)], [f"b{n}" for n in range(200)], None, "text is not compared"),
        (pd.to_timedelta(["1h"]), pd.to_timedelta(["1h"]), None, "this type is not compared"),
        ([np.inf], [1.0], None, "one side has no values"),
    ],
)
def test_what_cannot_be_compared_says_why(
    before: object, now: object, drifted: bool | None, why: str
) -> None:
    """And counts as neither the same nor another, but where the type itself changed."""
    found = compare(before, now)
    assert found["drifted"] is drifted
    assert why in found["why"]


def test_columns_that_come_or_go() -> None:
    """Each is a difference of its own, and counted."""
    before = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    now = pd.DataFrame({"b": [1.0, 2.0], "c": [1.0, 2.0]})
    found = find_drift(before, now)
    assert [(one["name"], one["why"]) for one in found["columns"]] == [
        ("a", "gone"),
        ("b", None),
        ("c", "new"),
    ]
    assert (found["compared"], found["drifted"], found["rows"]) == (3, 2, [2, 2])


@pytest.mark.parametrize(
    ("before", "now", "value"), [([5.0] * 2000, [5.0] * 2000, 0.0), ([5.0] * 2000, [6.0] * 2000, 2.0)]
)
def test_constants(before: list[float], now: list[float], value: float) -> None:
    """One that stays is no drift; one that changes is measured by both together."""
    found = compare(before, now)
    assert (found["value"], found["drifted"]) == (value, value > 0)
