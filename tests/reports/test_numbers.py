"""Numbers as a report writes them."""

from __future__ import annotations

import math

import pytest

from headrace.reports.numbers import interval, percent, sparkline, tell


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (336776, "336,776"),
        (0.123456, "0.1235"),
        (1e-7, "1e-07"),
        (2.0, "2"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (None, ""),
        (True, "True"),
        ("text", "text"),
    ],
)
def test_a_value_in_few_digits(value: object, said: str) -> None:
    """Four digits, commas in whole numbers, and everything else as it is."""
    assert tell(value) == said


def test_shares() -> None:
    """Hardly anything is told apart from nothing."""
    assert [percent(x) for x in (0.0, 0.0001, 0.012, 0.5, 1.0)] == [
        "0.0 %",
        "<0.1 %",
        "1.2 %",
        "50 %",
        "100 %",
    ]


def test_sparklines() -> None:
    """The highest bar is full, the lowest is there, and nothing is a gap."""
    assert sparkline([8, 0, 1, 4]) == "█ ▁▄"
    assert sparkline([0, 0]) == ""
    assert sparkline([]) == ""


def test_intervals() -> None:
    """In brackets, where there is one."""
    assert interval(0.5, 0.4, 0.6) == "0.5 [0.4, 0.6]"
    assert interval(0.5, None, 0.6) == "0.5"
