"""Validation parts good rows from bad ones, within limits, and reports."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from headrace.adapters.schema_pandera import PanderaChecker
from headrace.errors import StageError
from headrace.stages import validate

SCHEMA: dict[str, Any] = {
    "columns": {"mass": {"dtype": "float64", "in_range": {"min_value": 0, "max_value": 9}}}
}


@pytest.fixture
def checker() -> PanderaChecker:
    return PanderaChecker(SCHEMA)


@pytest.fixture
def raw() -> pd.DataFrame:
    return pd.DataFrame({"mass": [1.0, 12.0, None, 3.0]})


def test_quarantine_sets_failing_rows_aside_with_reasons(checker: PanderaChecker, raw: pd.DataFrame) -> None:
    """Good rows go on; each bad one keeps its number and says which checks it failed."""
    out = validate.check(raw, checker, "quarantine", 0.5)
    assert out["valid"]["mass"].tolist() == [1.0, 3.0]
    assert out["rejected"]["row"].tolist() == [1, 2]
    assert out["rejected"]["reasons"].tolist() == ["mass: in_range(0, 9)", "mass: not_nullable"]


def test_the_report_counts_by_column_and_check_and_is_json(
    checker: PanderaChecker, raw: pd.DataFrame
) -> None:
    """The report survives JSON unchanged, and gives counts with examples."""
    report = validate.check(raw, checker, "quarantine", 0.5)["validation"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["rejected"] == 2
    assert report["failures"][0] == {
        "column": "mass",
        "check": "in_range(0, 9)",
        "count": 1,
        "examples": [{"row": 1, "value": 12.0}],
    }


@pytest.mark.parametrize(("on_invalid", "limit"), [("quarantine", 0.49), ("fail", 1.0)])
def test_over_the_limit_it_names_columns_checks_and_rows(
    checker: PanderaChecker, raw: pd.DataFrame, on_invalid: str, limit: float
) -> None:
    """Too many failing rows, or any with `fail`, stop the run with all that is wrong at once."""
    with pytest.raises(StageError, match="2 of 4 rows") as raised:
        validate.check(raw, checker, on_invalid, limit)
    assert "in_range(0, 9) fails 1 times (row 1: 12.0)" in str(raised.value)
    assert "not_nullable fails 1 times (row 2: None)" in str(raised.value)


def test_warn_lets_every_row_pass(checker: PanderaChecker, raw: pd.DataFrame) -> None:
    """`warn` changes no row and still reports."""
    out = validate.check(raw, checker, "warn")
    pd.testing.assert_frame_equal(out["valid"], raw)
    assert out["validation"]["rejected"] == 2


def test_a_missing_column_stops_quarantine_too(checker: PanderaChecker) -> None:
    """What no row can answer for is never set aside."""
    with pytest.raises(StageError, match="column mass is missing"):
        validate.check(pd.DataFrame({"weight": [1.0]}), checker, "quarantine", 1.0)


def test_an_unknown_action_names_those_that_exist(checker: PanderaChecker, raw: pd.DataFrame) -> None:
    """A typo in `on_invalid` is told what to use."""
    with pytest.raises(StageError, match="use fail, quarantine, warn"):
        validate.check(raw, checker, "quarantin")
