"""Whether more rows would help."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import isfinite
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
    rows that many are drawn and shared out. The last point is the estimator itself, which learned from
    all of them; it is not fitted again. Each score takes at most `most_scored` rows.

    Returns:
        `points`: the `rows` learned from, and the metric on these (`train`) and on test rows (`test`),
        or `why` that share could not be learned from. `scored` counts the test rows.
    """
    import numpy as np

    features, target = train
    order = _order(target, metric, context.seed)[:most_rows]
    unseen_rows = draw_rows(len(test[1]), most_scored, context.seed, _groups(test[1], metric))
    unseen = test[0].iloc[unseen_rows], test[1][unseen_rows]
    sizes = sorted({max(2, round(share * len(order))) for share in shares})
    points = []
    with context.progress("learning curve", len(sizes)) as advance:
        for size in sizes:
            rows = np.sort(order[:size])
            if size == len(target):
                break
            seen = features.iloc[rows], target.iloc[rows]
            points.append({"rows": size, **_fit_point(estimator, seen, unseen, metric, context)})
            advance(f"{size:,} rows")
    points.append({"rows": len(target), **_score_point(estimator, train, unseen, metric, context.seed)})
    return {"metric": metric.name, "points": points, "scored": len(unseen_rows)}


def _fit_point(
    estimator: BaseEstimator,
    seen: tuple[pd.DataFrame, pd.Series],
    unseen: tuple[pd.DataFrame, np.ndarray],
    metric: Metric,
    context: Context,
) -> dict[str, Any]:
    own = ShareContext(context, f"{len(seen[1])} rows")
    with warnings.catch_warnings():
        # Of few rows libraries warn (no convergence, more classes than they like): that is the point.
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = fit(*seen, _fittable(estimator), own)["estimator"]
            return _score_point(model, seen, unseen, metric, context.seed)
        except (StageError, ValueError) as error:
            return {"train": None, "test": None, "why": str(error)}


def _score_point(
    model: BaseEstimator,
    seen: tuple[pd.DataFrame, pd.Series],
    unseen: tuple[pd.DataFrame, np.ndarray],
    metric: Metric,
    seed: int,
) -> dict[str, Any]:
    rows = draw_rows(len(seen[1]), len(unseen[1]), seed, _groups(seen[1], metric))
    labels = seen[1].iloc[rows].to_numpy(dtype=object).astype(unseen[1].dtype)
    scores = metric.score(model, seen[0].iloc[rows], labels), metric.score(model, *unseen)
    if not all(map(isfinite, scores)):
        return {"train": None, "test": None, "why": f"{metric.name} is not defined"}
    return {"train": scores[0], "test": scores[1]}


def _fittable(estimator: BaseEstimator) -> BaseEstimator:
    """Return what learns: a threshold around a fitted classifier would copy it as it is."""
    while type(estimator).__name__ in ("FixedThresholdClassifier", "FrozenEstimator"):
        estimator = estimator.estimator
    return estimator


def _order(target: pd.Series, metric: Metric, seed: int) -> np.ndarray:
    import numpy as np

    groups = _groups(target, metric)
    if groups is None:
        return np.random.default_rng(seed).permutation(len(target))
    return draw_in_shares(groups, seed)


def _groups(labels: Any, metric: Metric) -> np.ndarray | None:
    """Return the number of each row's class, or None where labels are measures."""
    import pandas as pd

    return None if metric.name == "rmse" else pd.factorize(labels, sort=True)[0]
