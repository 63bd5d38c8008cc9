"""Which rows and points stand for all: drawn by a seed, or thinned where a line has too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6  # that a number keeps where it is only drawn


def draw_rows(rows: int, at_most: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Return the positions of `at_most` rows, in order; of all where there are no more.

    With `groups`, a number for each row, each group has about its share of them, and one at least
    where there is room.
    """
    import numpy as np

    if rows <= at_most:
        return np.arange(rows)
    if groups is not None:
        return np.sort(draw_in_shares(groups, seed)[:at_most])
    return np.sort(np.random.default_rng(seed).choice(rows, size=at_most, replace=False))


def draw_in_shares(groups: np.ndarray, seed: int) -> np.ndarray:
    """Return all positions, shuffled so that any beginning holds each group in about its share.

    The first ones hold a row of each group.
    """
    import numpy as np

    shuffled = np.random.default_rng(seed).permutation(len(groups))
    order = shuffled[np.argsort(groups[shuffled], kind="stable")]
    within = np.concatenate([np.arange(count) / count for count in np.bincount(groups) if count])
    return order[np.argsort(within, kind="stable")]


def thin_line(x: np.ndarray, y: np.ndarray, at_most: int) -> np.ndarray:
    """Return the positions of the points to keep, evenly spread along the line in the unit square.

    The first and the last point always stay.
    """
    import numpy as np

    if len(x) <= at_most:
        return np.arange(len(x))
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    return np.unique(np.searchsorted(way, np.linspace(0, way[-1], at_most)).clip(0, len(x) - 1))


def plain(values: Any) -> list[Any]:
    """Return numbers as JSON can say them, to six significant digits; None for what is not finite."""
    import math

    return [
        float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
        for value in (float(value) for value in values)
    ]
