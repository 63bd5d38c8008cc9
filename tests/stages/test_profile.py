"""What `profile_table` says of a table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.stages.profile import QUANTILES, profile_table


def column(values: object, **how: int) -> dict[str, object]:
    (found,) = profile_table(pd.DataFrame({"x": values}), **how)["columns"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return dict(found)


def test_numbers() -> None:
    """Missing and infinite values are counted apart; the others are described."""
    found = column([1.0, 2.0, 2.0, np.nan, np.inf, 4.5])
    assert (found["kind"], found["missing"], found["infinite"], found["distinct"]) == ("number", 1, 1, 4)
    assert found["mean"] == pytest.approx(2.375)
    assert found["std"] == pytest.approx(np.std([1, 2, 2, 4.5]))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float), min_size=1, max_size=60),
    st.integers(1, 30),
)
def test_quantiles_and_histogram_are_those_of_numpy(values: list[float], bins: int) -> None:
    """Quantiles are NumPy's; every value is counted in one bar."""
    found = column(values, bins=bins)
    assert list(found["quantiles"].values()) == pytest.approx(list(np.quantile(values, QUANTILES)))
    histogram = found["histogram"]
    assert sum(histogram["counts"]) == len(values)
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    if len(histogram["counts"]) > 1:
        assert histogram["counts"] == list(np.histogram(values, histogram["edges"])[0])


def test_whole_numbers_in_few_steps_have_a_bar_each() -> None:
    """So that no bar stands empty between two values."""
    found = column([1, 1, 2, 7])["histogram"]
    assert found == {"edges": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5], "counts": [2, 1, 0, 0, 0, 0, 1]}


@pytest.mark.parametrize(
    ("values", "kind", "distinct", "top"),
    [
        (["b", "a", "b", None], "category", 2, [("b", 2), ("a", 1)]),
        (pd.Categorical(["x", "y", "x"], categories=["x", "y", "z"]), "category", 2, [("x", 2), ("y", 1)]),
        ([True, False, True], "boolean", 2, [("True", 2), ("False", 1)]),
        (pd.array([True, None], dtype="boolean"), "boolean", 1, [("True", 1)]),
        (pd.Series([1, "a", None], dtype=object), "category", 2, [("1", 1), ("a", 1)]),
        (pd.Series([[2], [1], [1]], dtype=object), "category", 2, [("[1]", 2), ("[2]", 1)]),
        (pd.Series([], dtype="str"), "category", 0, []),
        (pd.to_timedelta(["1h", "1h"]), "other", 1, [("0 days 01:00:00", 2)]),
    ],
)
def test_categories(values: object, kind: str, distinct: int | None, top: list[tuple[str, int]]) -> None:
    """The most frequent values come first, equal ones by name; one that never occurs is not there."""
    found = column(values)
    assert (found["kind"], found["distinct"]) == (kind, distinct)
    assert [(one["value"], one["count"]) for one in found["top"]] == top


def test_many_categories_are_cut() -> None:
    """Only the first few are named, and a long one is shortened."""
    found = column(["w" * 200] * 3 + [f"v{number:03}" for number in range(300)], top=4)
    assert found["distinct"] == 301
    assert [one["count"] for one in found["top"]] == [3, 1, 1, 1]
    assert len(found["top"][0]["value"]) == 80
    assert [one["value"] for one in found["top"][1:]] == ["v000", "v001", "v002"]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times(zone: str | None) -> None:
    """In ISO 8601, in UTC where there is a zone."""
    times = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-03", None])).dt.tz_localize(zone)
    found = column(times)
    assert (found["kind"], found["missing"], found["distinct"]) == ("time", 1, 2)
    first, last = found["quantiles"]["0"], found["quantiles"]["1"]
    assert pd.Timestamp(last) - pd.Timestamp(first) == pd.Timedelta("2D")
    assert sum(found["histogram"]["counts"]) == 2


@pytest.mark.parametrize(
    "values",
    [
        [np.nan, np.nan],
        [np.inf],
        [1.7e308, -1.7e308],
        [5e-324, 0.0],
        [3.0],
        pd.array([1, None], dtype="Int64"),
        [2**62, 2**62 + 1],
        [1j],
        pd.Series([pd.NaT], dtype="datetime64[s]"),
    ],
)
def test_values_at_the_edge_are_described_all_the_same(values: object) -> None:
    """Nothing found, one value, overflow: the document is plain JSON in each case."""
    column(values)


def test_columns_of_one_name_are_told_apart() -> None:
    """Each column has its own entry, in order; a name that is no text becomes one."""
    table = pd.DataFrame([[1, "a", 2.0]], columns=["x", "x", 3])
    found = profile_table(table)
    assert [(one["name"], one["kind"]) for one in found["columns"]] == [
        ("x", "number"),
        ("x", "category"),
        ("3", "number"),
    ]
    assert profile_table(pd.DataFrame())["columns"] == []
