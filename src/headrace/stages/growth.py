"""Boosting and forests fitted in steps, with an interim score after each.

scikit-learn's own callbacks would do this within one fit, but in 1.9 no ensemble calls them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context

HELD_OUT = 0.15
MANY_ROWS = 10_000  # with more, scikit-learn's `early_stopping: auto` means true


def grow(
    model: BaseEstimator, features: pd.DataFrame, labels: np.ndarray, every: int, context: Context
) -> None:
    """Fit a model by `warm_start`, `every` iterations or trees at a time, and report after each step.

    A `HistGradientBoosting*` that stops early holds out rows itself: what is reported is its own
    validation score, and it learns from the same rows as ever. For any other model 15 % of the rows
    are held out, drawn by the run's seed and for a classifier class by class. It never learns from
    these; what is reported is its `score` on them (accuracy, or R²).

    The model is the one that a single `fit` on the same rows gives: exactly so for histogram boosting
    and forests, and but for rounding for `GradientBoosting*`. A step of histogram boosting bins all
    rows again, and one of `GradientBoosting*` predicts them, so very small steps are slow.

    Raises:
        StageError: The model does not grow, or the rows are too few to hold some out.
    """
    size = _size_param(model, every)
    total, warm = (model.get_params()[name] for name in (size, "warm_start"))
    x, y, held = features, labels, None
    if not _holds_out_itself(model, len(labels)):
        learned, kept = _split(model, labels, context.seed)
        x, y = features.iloc[learned], labels[learned]
        held = features.iloc[kept], labels[kept]
    with context.progress("steps", math.ceil(total / every)) as advance:
        for wanted in [*range(every, total, every), total]:
            model.set_params(**{size: wanted, "warm_start": True})
            model.fit(x, y)
            score = float(model.validation_score_[-1] if held is None else model.score(*held))
            advance(f"score {score:.4f}")
            context.report(getattr(model, "n_iter_", wanted), score)
            if _has_stopped(model, wanted):
                break
    model.set_params(**{size: total, "warm_start": warm})


def _size_param(model: BaseEstimator, every: int) -> str:
    """Return the param that says how many iterations or trees, where a larger one goes on from there."""
    if every < 1:
        raise StageError(f"report_every is {every}; use 1 or more iterations, or null for no reports")
    if _is_histogram(model):
        return "max_iter"
    # Others with max_iter and warm_start, such as linear models, count iterations anew.
    if not {"n_estimators", "warm_start"} <= model.get_params(deep=False).keys():
        raise StageError(
            f"report_every is {every}, but {type(model).__name__} does not grow in steps as boosting and"
            " forests of scikit-learn do; set stages.train.params.report_every=null"
        )
    if getattr(model, "n_iter_no_change", None) is not None:
        raise StageError(
            f"report_every does not go with n_iter_no_change, which {type(model).__name__} counts anew in"
            " each step; set model.n_iter_no_change=null, or use model=hist_gradient_boosting"
        )
    return "n_estimators"


def _is_histogram(model: BaseEstimator) -> bool:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor)


def _holds_out_itself(model: Any, n_rows: int) -> bool:
    if not _is_histogram(model) or model.validation_fraction is None:
        return False
    return n_rows > MANY_ROWS if model.early_stopping == "auto" else bool(model.early_stopping)


def _split(model: BaseEstimator, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np
    from sklearn.base import is_classifier
    from sklearn.model_selection import train_test_split

    by_class = is_classifier(model) and np.unique(labels, return_counts=True)[1].min() > 1
    try:
        learned, held = train_test_split(
            np.arange(len(labels)),
            test_size=HELD_OUT,
            random_state=seed,
            stratify=labels if by_class else None,
        )
    except ValueError as error:
        raise StageError(
            f"{len(labels)} rows cannot spare {HELD_OUT:.0%} for report_every; set it to null: {error}"
        ) from error
    return learned, held


def _has_stopped(model: Any, wanted: int) -> bool:
    """Tell whether a model has stopped early; by the scores where it did so at the end of a step.

    That is scikit-learn's rule: of the last `n_iter_no_change` scores none is better by `tol` than the
    one before them.
    """
    if not getattr(model, "do_early_stopping_", False):
        return False
    if model.n_iter_ < wanted:
        return True
    scores = model.train_score_ if model.validation_fraction is None else model.validation_score_
    before = len(scores) - model.n_iter_no_change - 1
    return before >= 0 and not (scores[before + 1 :] > scores[before] + model.tol).any()
