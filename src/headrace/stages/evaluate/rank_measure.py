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
            nothing = np.full(len(weights), np.nan)
            return {"roc_auc": nothing, "average_precision": nothing}
        positive = weights.take(self._positive, axis=1)
        negatives = _cumulated(weights.take(self._negative, axis=1))
        positives = _cumulated(positive)
        n_positive, n_negative = positives[:, -1], negatives[:, -1]
        below = negatives.take(self._below, axis=1)
        pairs = np.einsum("bi,bi->b", positive, below)
        if self._tied is not None:
            tied = negatives.take(self._tied, axis=1)
            pairs = (pairs + np.einsum("bi,bi->b", positive, tied)) / 2
        hits_above = n_positive[:, None] - positives.take(self._own_below, axis=1)
        above = hits_above + n_negative[:, None] - below
        np.divide(hits_above, above, out=hits_above, where=above > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.einsum("bi,bi->b", positive, hits_above) / n_positive
            area = pairs / n_positive / n_negative
        return {"roc_auc": area, "average_precision": precision}


def _cumulated(weights: np.ndarray) -> np.ndarray:
    """Return sums over the rows before each, and over all: shape `(n_resamples, n_rows + 1)`."""
    import numpy as np

    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
