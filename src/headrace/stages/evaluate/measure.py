"""What a set of metrics is to the rest of the stage: a function of the rows' weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


class Measure(Protocol):
    """The metrics of one model on some rows.

    Called with weights of shape `(n_resamples, n_rows)` it returns, by metric, an array of length
    `n_resamples`; NaN where the weighted rows do not determine the metric. A resample of the rows is
    a weight for each, namely how often it was drawn, so no row is ever copied.
    """

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]: ...

    def take(self, rows: np.ndarray) -> Measure:
        """Return the same metrics on some of the rows, by position."""


def sum_rows(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the weighted sum of a value of each row, `(n_resamples,)`.

    Not by a product of matrices: for a few columns its threads cost more than they do.
    """
    import numpy as np

    sums: np.ndarray = np.einsum("bi,i->b", weights, values)
    return sums


GREATER_IS_BETTER: Mapping[str, bool] = {
    "accuracy": True,
    "balanced_accuracy": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "precision_macro": True,
    "f1_macro": True,
    "matthews_corrcoef": True,
    "roc_auc": True,
    "average_precision": True,
    "log_loss": False,
    "brier": False,
    "rmse": False,
    "mae": False,
    "median_absolute_error": False,
    "r2": True,
}

# Why rows may not determine a metric; all other metrics are determined by any rows.
WHY_NOT: Mapping[str, str] = {
    "recall": "no row has the positive class",
    "f1": "no row has or is predicted the positive class",
    "roc_auc": "needs rows of both classes",
    "average_precision": "no row has the positive class",
    "r2": "the target is the same in all rows",
}
