"""Areas under ROC and precision-recall curves as functions of the rows' weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class RankMeasure:
    """`roc_auc` and `average_precision` of scores, for many weights of the rows at once.

    Rows are sorted once. For each weighting the area under the ROC curve is the share of pairs in
    which the positive row has the greater score, ties counting half (Mann and Whitney 1947), and the
    average precision the mean over positive rows of the precision at their score. Both need, for each
    positive row, only the weight of rows below it: cumulated sums, read at places known beforehand.
    """

    def __init__(self, hits: np.ndarray, scores: np.ndarray) -> None:
        """Take `hits`, true where a row has the positive class, and its scores, both `(n_rows,)`."""
        import numpy as np

        order = np.argsort(scores, kind="stable")
        mask = hits[order]
        self._positive, self._negative = order[mask], order[~mask]
        high, low = scores[self._positive], scores[self._negative]
        self._below = np.searchsorted(low, high, "left")
        ties = np.searchsorted(low, high, "right")
        self._tied = None if (ties == self._below).all() else ties
        self._own_below = np.searchsorted(high, high, "left")

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        import numpy as np

        if not len(self._positive):
            nothing = np.full(weights.shape[1], np.nan)
            return {"roc_auc": nothing, "average_precision": nothing}
        positive = weights[self._positive]
        negatives = _cumulated(weights[self._negative])
        positives = _cumulated(positive)
        n_positive, n_negative = positives[-1], negatives[-1]
        below = negatives[self._below]
        pairs = np.einsum("ib,ib->b", positive, below, dtype=float)
        if self._tied is not None:
            pairs = (pairs + np.einsum("ib,ib->b", positive, negatives[self._tied], dtype=float)) / 2
        hits_above = n_positive - positives[self._own_below]
        above = hits_above + (n_negative - below)
        with np.errstate(invalid="ignore", divide="ignore"):
            np.divide(hits_above, above, out=hits_above, where=above > 0)
            precision = np.einsum("ib,ib->b", positive, hits_above, dtype=float) / n_positive
            area = pairs / n_positive / n_negative
        return {"roc_auc": area, "average_precision": precision}


def _cumulated(weights: np.ndarray) -> np.ndarray:
    """Return sums over the rows before each, and over all: shape `(n_rows + 1, n_resamples)`."""
    import numpy as np

    sums = np.zeros((len(weights) + 1, weights.shape[1]), weights.dtype)
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums
