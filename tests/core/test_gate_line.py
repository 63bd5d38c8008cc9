"""What a gate's check says, short and long."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.core.gate_line import failed_line, short_line


def check(**changes: Any) -> dict[str, Any]:
    whole = {
        "metric": "accuracy",
        "rule": "min",
        "wanted": 0.95,
        "found": 0.97123,
        "passed": True,
        "detail": "",
    }
    return {**whole, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "accuracy 0.9712 ≥ 0.95"),
        ({"found": 0.9, "passed": False}, "accuracy 0.9 < 0.95"),
        ({"rule": "max", "slice": "sex=f"}, "accuracy on sex=f 0.9712 ≤ 0.95"),
        ({"rule": "max_drop", "found": 0.1, "wanted": 0.01, "passed": False},
         "accuracy drop 0.1 breaks max_drop 0.01"),
        ({"rule": "min_gain", "found": 0.1, "wanted": 0.01}, "accuracy gain 0.1 meets min_gain 0.01"),
        ({"rule": "max_drop", "found": None, "wanted": 0.01, "detail": "no champion"},
         "accuracy max_drop 0.01: no champion"),
        ({"metric": "package", "rule": "in a fresh process", "wanted": "answers", "found": "does not load",
          "passed": False}, "package does not load in a fresh process"),
    ],
)  # fmt: skip
def test_a_short_line(changes: dict[str, Any], said: str) -> None:
    """Figures in four digits, with the sign that holds."""
    assert short_line(check(**changes)) == said


def test_a_failed_line_says_found_and_wanted() -> None:
    """With the slice, and with what else is known."""
    told = check(slice="sex=f", found=0.9, passed=False, detail="worse end of the interval")
    assert failed_line(told) == ("accuracy on sex=f: found 0.9, wanted min 0.95 (worse end of the interval)")
