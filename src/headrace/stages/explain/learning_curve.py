"""Whether more rows would help."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError
from headrace.stages.explain.metric import Metric
from headrace.stages.explain.rows import draw_in_shares, draw_rows
from headrace.stages.folds import FoldContext
from headrace.stages.train import fit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context


class ShareContext(FoldContext):
    """The context of a fit on a share of the rows, which logs nothing: its epochs are not the run's."""

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log nowhere."""


def trace_learning(
    estimator: BaseEstimator,
    train: tuple[pd.DataFrame, pd.Series],
    test: tuple[pd.DataFrame, np.ndarray],
    metric: Metric,
    shares: Sequence[float],
    most_rows: int,
    most_scored: int,
    context: Context,
) -> dict[str, Any]:
    """Fit fresh copies on growing shares of the training rows, and score each on the test rows.

    Each share holds the smaller ones, and classes in their shares. Of more than `most_rows` training
    rows that many are drawn and stand for all. Each score takes at most `most_scored` rows.

    Returns:
        `points`: for each share the `rows` learned from, and the metric on these (`train`) and on test
        rows (`test`), or `why` it could not be fitted. `all_rows` counts the training rows.
    """
    import numpy as np

    features, target = train
    order = _order(target, bool(hasattr(estimator, "classes_")), most_rows, context.seed)
    scored = draw_rows(len(test[1]), most_scored, context.seed)
    unseen = test[0].iloc[scored], test[1][scored]
    points = []
    with context.progress("learning curve", len(shares)) as advance:
        for share in sorted(shares):
            rows = np.sort(order[: max(2, round(share * len(order)))])
            points.append(
                {
                    "rows": len(rows),
                    **_point(estimator, features.iloc[rows], target.iloc[rows], unseen, metric, context),
                }
            )
            advance(f"{len(rows):,} rows")
    return {"metric": metric.name, "points": points, "all_rows": len(target), "scored": len(scored)}


def _point(
    estimator: BaseEstimator,
    features: pd.DataFrame,
    target: pd.Series,
    unseen: tuple[pd.DataFrame, np.ndarray],
    metric: Metric,
    context: Context,
) -> dict[str, Any]:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # The fit that counts has told of this, if there is anything to tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            own = ShareContext(context, f"{len(target)} rows")
            model = fit(features, target, _fittable(estimator), own)["estimator"]
        except (StageError, ValueError) as error:
            return {"train": None, "test": None, "why": str(error)}
    seen = draw_rows(len(target), len(unseen[1]), context.seed)
    labels = target.iloc[seen].to_numpy(dtype=object).astype(unseen[1].dtype)
    return {
        "train": metric.score(model, features.iloc[seen], labels),
        "test": metric.score(model, *unseen),
    }


def _fittable(estimator: BaseEstimator) -> BaseEstimator:
    """Return what learns: a threshold around a fitted classifier would copy it as it is."""
    while type(estimator).__name__ in ("FixedThresholdClassifier", "FrozenEstimator"):
        estimator = estimator.estimator
    return estimator


def _order(target: pd.Series, classifies: bool, most_rows: int, seed: int) -> np.ndarray:
    import numpy as np
    import pandas as pd

    if not classifies:
        return np.random.default_rng(seed).permutation(len(target))[:most_rows]
    groups = pd.factorize(target, sort=True)[0]
    return draw_in_shares(groups, seed)[:most_rows]
