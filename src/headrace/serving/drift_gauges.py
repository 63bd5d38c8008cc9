"""How far the newest rows are from those that the model learned from, as gauges.

The measure is the population stability index, the sum of (p - q) ln(p / q) over bins with the shares p now
and q in training (Siddiqi 2006, Credit Risk Scorecards; below 0.1 little has changed, above 0.25 much). It
is the symmetric Kullback-Leibler divergence of Jeffreys (1946).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SECONDS = 10.0  # between two looks
FEWEST = 50  # rows below which nothing is said
EMPTY = 0.5  # rows that a bin without any counts as: its logarithm would be infinite


class DriftWatch:
    """Keeps the newest rows of one model, and tells from time to time how far each column has moved.

    Args:
        profile: What `headrace.stages.profile` says of the training rows.
        rows: How many of the newest rows count.
        tell: Takes a column's name and its index.
    """

    def __init__(self, profile: Mapping[str, Any], rows: int, tell: Callable[[str, float], None]) -> None:
        total = int(profile.get("rows") or 0)
        columns = [{**one, "rows": total} for one in profile.get("columns", ())]
        self._columns = {str(one["name"]): one for one in columns if _counts_before(one) is not None}
        self._longest = {name: _longest_name(column) for name, column in self._columns.items()}
        self._rows = rows
        self._tell = tell
        self._kept: deque[tuple[int, Mapping[str, Sequence[Any]]]] = deque()
        self._count = 0
        self._next = time.monotonic() + SECONDS
        self._busy = threading.Lock()

    def take(self, columns: Mapping[str, Sequence[Any]], rows: int) -> None:
        """Take the rows of a request; cheap, and never waits."""
        self._kept.append((rows, self._cut(columns)))
        self._count += rows
        while self._kept and self._count - self._kept[0][0] >= self._rows:
            self._count -= self._kept.popleft()[0]
        if time.monotonic() >= self._next and self._count >= FEWEST:
            self._next = time.monotonic() + SECONDS
            threading.Thread(target=self.measure, name="drift", daemon=True).start()

    def _cut(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """Return what counts of a request: its newest rows, and of a text no more than tells it from others.

        Requests are let go of by that; clients who send megabytes in every row would fill the memory else.
        """
        cut: dict[str, Sequence[Any]] = {}
        for name, longest in self._longest.items():
            values = columns.get(name, ())[-self._rows :]
            if longest:
                values = [value[:longest] if isinstance(value, str) else value for value in values]
            cut[name] = values
        return cut

    def measure(self) -> None:
        """Tell the index of each column; where another thread does so already, do nothing."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            kept = list(self._kept)
            for name, column in self._columns.items():
                values = [value for _, columns in kept for value in columns.get(name, ())][-self._rows :]
                index = find_index(column, values)
                if index is not None:
                    self._tell(name, index)
        finally:
            self._busy.release()


def _longest_name(column: Mapping[str, Any]) -> int:
    """Return a length at which a text is none of the column's names; 0 for a column of numbers."""
    if column.get("histogram"):
        return 0
    return 1 + max(len(str(one["value"])) for one in column["top"])


def find_index(column: Mapping[str, Any], values: Sequence[Any]) -> float | None:
    """Return the population stability index of values against a column of a profile with its `rows`.

    Missing values are a bin of their own, and so is what training never saw. None where there is nothing to
    compare: times move by themselves.
    """
    before = _counts_before(column)
    if before is None or not len(values):
        return None
    return stability_index(before, _counts_now(column, values))


def stability_index(before: Iterable[float], now: Iterable[float]) -> float:
    """Return the index of two rows of counts, (k,) each."""
    import numpy as np

    def shares(counts: Iterable[float]) -> np.ndarray:
        known = np.maximum(np.asarray(list(counts), dtype="float64"), EMPTY)
        found: np.ndarray = known / known.sum()
        return found

    q, p = shares(before), shares(now)
    return float(((p - q) * np.log(p / q)).sum())


def _counts_before(column: Mapping[str, Any]) -> list[float] | None:
    missing = float(column.get("missing") or 0)
    if column.get("kind") == "time":
        return None
    if column.get("histogram"):
        return [*map(float, column["histogram"]["counts"]), 0.0, 0.0, missing]
    if column.get("top"):
        named = [float(one["count"]) for one in column["top"]]
        return [*named, float(column["rows"]) - missing - sum(named), missing]
    return None


def _counts_now(column: Mapping[str, Any], values: Sequence[Any]) -> list[float]:
    import numpy as np

    known = [value for value in values if value is not None and value == value]
    missing = float(len(values) - len(known))
    if column.get("histogram"):
        edges = np.asarray(column["histogram"]["edges"], dtype="float64")
        numbers = np.asarray(known, dtype="float64")
        counts, _ = np.histogram(numbers, edges)
        return [
            *counts.tolist(),
            float((numbers < edges[0]).sum()),
            float((numbers > edges[-1]).sum()),
            missing,
        ]
    names = [str(one["value"]) for one in column["top"]]
    told = [str(value) for value in known]
    seen = [float(told.count(name)) for name in names]
    return [*seen, float(len(told) - sum(seen)), missing]
