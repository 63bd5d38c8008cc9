"""Metrics of a regressor as functions of the rows' weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.stages.evaluate.measure import sum_rows

if TYPE_CHECKING:
    import numpy as np


class NumberMeasure:
    """Errors in the target's own unit, and the share of its variance that is explained (`r2`)."""

    def __init__(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Take two arrays of shape `(n_rows,)`."""
        import numpy as np

        self._truth, self._predicted = truth, predicted
        errors = np.abs(truth - predicted)
        # Around the mean, so that no difference of large squares is taken.
        centred = truth - truth.mean() if len(truth) else truth
        self._values = (errors**2, errors, centred, centred**2)
        self._order = np.argsort(errors, kind="stable")
        self._sorted = errors[self._order]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        import numpy as np

        total = weights.sum(axis=1)
        square, absolute, centre, spread = (sum_rows(weights, one) / total for one in self._values)
        variance = spread - centre**2
        with np.errstate(invalid="ignore", divide="ignore"):
            r2 = np.where(variance > 1e-12 * spread, 1 - square / variance, np.nan)
        return {
            "rmse": np.sqrt(square),
            "mae": absolute,
            "median_absolute_error": self._median(weights.take(self._order, axis=1), total),
            "r2": r2,
        }

    def take(self, rows: np.ndarray) -> NumberMeasure:
        return NumberMeasure(self._truth[rows], self._predicted[rows])

    def _median(self, weights: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Return the weighted median of the sorted errors; the mean of two where half lies on each side."""
        import numpy as np

        reached = np.cumsum(weights, axis=1)
        places = [
            [line.searchsorted(half, side) for line, half in zip(reached, total / 2, strict=True)]
            for side in ("left", "right")
        ]
        last = len(self._sorted) - 1
        ends = self._sorted[np.minimum(places, last)]
        middle: np.ndarray = ends.mean(axis=0)
        return middle
