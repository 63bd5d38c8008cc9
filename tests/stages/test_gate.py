"""The gate: bounds, and what is no bound."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.errors import StageError
from headrace.stages.gate import check_thresholds

WHERE = r"stages\.gate\.params\.thresholds\.accuracy"


@pytest.mark.parametrize(("found", "passed"), [(0.9, True), (0.8999, False), (float("nan"), False)])
def test_a_bound_is_met_when_it_is_reached(found: float, passed: bool) -> None:
    """Exactly the bound passes; below it, and what is no number, does not."""
    gate = check_thresholds({"accuracy": found}, {"accuracy": {"min": 0.9}})["gate"]
    assert gate["passed"] is passed


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"accuracy": {"min": "high"}}, rf"{WHERE}\.min: 'high' is not a number"),
        ({"accuracy": {"min": None}}, rf"{WHERE}\.min: None is not a number"),
        ({"accuracy": {"mim": 0.9}}, rf"{WHERE}\.mim: no such rule; use min or max"),
        ({"accuracy": 0.9}, rf"{WHERE}: 0\.9 is no bound; use \{{min: x\}}, \{{max: x\}} or both"),
        ({"acuracy": {"min": 0.9}}, r"acuracy: no such metric was measured; did you mean accuracy\?"),
        ({"matrix": {"min": 0.9}}, r"matrix: the metric is \[1\], which is not a number"),
    ],
)
def test_what_is_no_bound_is_named(thresholds: dict[str, Any], message: str) -> None:
    """An error of the stage says where the bound is written and what is wrong with it."""
    with pytest.raises(StageError, match=message):
        check_thresholds({"accuracy": 0.9, "matrix": [1]}, thresholds)
