"""Rows and points that stand for all."""

from __future__ import annotations

import numpy as np

from headrace.stages.explain.rows import draw_in_shares, draw_rows, plain, thin_line


def test_drawn_rows_hold_every_group() -> None:
    """Rows are drawn by the seed; with groups each keeps its share, and the rare one a row."""
    assert draw_rows(5, 10, 0).tolist() == [0, 1, 2, 3, 4]
    assert draw_rows(100, 10, 0).tolist() == draw_rows(100, 10, 0).tolist()
    groups = np.array([0] * 900 + [1] * 99 + [2])
    drawn = draw_rows(1000, 100, 0, groups)
    assert np.bincount(groups[drawn]).tolist() == [89, 10, 1]
    assert sorted(draw_in_shares(groups, 0)) == list(range(1000))


def test_thinning_keeps_both_ends() -> None:
    """A line of many points becomes one of few, with its first and its last."""
    x = np.linspace(0, 1, 1000)
    kept = thin_line(x, x**2, 50)
    assert len(kept) <= 50
    assert (kept[0], kept[-1]) == (0, 999)
    assert thin_line(x[:3], x[:3], 50).tolist() == [0, 1, 2]


def test_plain_numbers_are_those_of_json() -> None:
    """Numbers keep six digits; what is not finite is None."""
    assert plain([1 / 3, np.inf, np.nan, np.int64(2)]) == [0.333333, None, None, 2.0]
