"""The scales on which a sweep's params are drawn and ranked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.core.sweep import SweepRecord, TrialRecord
from headrace.core.sweep_axes import Axis, as_parts, read_axes


def sweep(*params: dict[str, Any], memory: dict[str, Any] | None = None) -> SweepRecord:
    trials = [
        TrialRecord(number=n, overrides=[], params=one, memory=memory or {}) for n, one in enumerate(params)
    ]
    return SweepRecord(
        id="s",
        experiment="e",
        flow="train",
        command="",
        overrides=[],
        state="succeeded",
        started="2026-11-24T00:00:00+00:00",
        seconds=1.0,
        objective={},
        trials=trials,
    )


def test_numbers_of_a_grid_are_read_from_their_text() -> None:
    """Overrides are texts; those of a param are numbers where all of them are."""
    axes = read_axes(sweep({"a": "0.1", "b": "1"}, {"a": "10", "b": "small"}))
    assert [(axis.name, axis.is_number) for axis in axes] == [("a", True), ("b", False)]
    assert dict(axes[0].values) == {0: 0.1, 1: 10.0}
    assert dict(axes[1].values) == {0: "1", 1: "small"}


def test_what_never_changes_has_no_axis() -> None:
    """But a param that only some jobs have is one."""
    axes = read_axes(sweep({"a": 1, "b": 1}, {"a": 1}))
    assert [axis.name for axis in axes] == ["b"]


@pytest.mark.parametrize(
    ("values", "log"),
    [([0.001, 1, 1000], True), ([1, 2, 3], False), ([0, 1, 1000], False), ([0.001, 1000], False)],
)
def test_a_wide_range_looks_logarithmic(values: list[float], log: bool) -> None:
    """Where nobody said so: many values, all above zero, far apart."""
    (axis,) = read_axes(sweep(*({"x": value} for value in values)))
    assert axis.log is log


def test_a_search_says_what_is_logarithmic() -> None:
    """By Optuna's note of what it drew from, also under a condition; a broken note says nothing."""
    note = json.dumps({"name": "FloatDistribution", "attributes": {"log": True, "low": 1, "high": 2}})
    memory = {"distributions": {"x [model=a]": note, "y": "{"}}
    x, y = read_axes(sweep({"x": 1, "y": 1}, {"x": 2, "y": 2}, memory=memory))
    assert (x.log, y.log) == (True, False)


def test_places_on_an_axis() -> None:
    """From 0 to 1, by the logarithm where the axis is logarithmic; few values are all named."""
    places, marks = as_parts(Axis(name="x", is_number=True, log=True, values={0: 0.01, 1: 1.0, 2: 100.0}))
    assert places == {0: 0.0, 1: pytest.approx(0.5), 2: 1.0}
    assert [label for _, label in marks] == ["0.01", "1", "100"]
    places, marks = as_parts(Axis(name="x", is_number=True, log=False, values=dict(enumerate(range(9)))))
    assert marks == [(0.0, "0"), (0.5, "4"), (1.0, "8")]
    places, marks = as_parts(Axis(name="x", is_number=False, log=False, values={0: "b", 1: "a", 2: "b"}))
    assert (places, marks) == ({0: 1.0, 1: 0.0, 2: 1.0}, [(0.0, "a"), (1.0, "b")])
    places, marks = as_parts(Axis(name="x", is_number=True, log=False, values={0: 3.0, 1: 3.0}))
    assert (places, marks) == ({0: 0.5, 1: 0.5}, [(0.5, "3")])
