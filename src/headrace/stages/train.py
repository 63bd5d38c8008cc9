"""Fit an estimator, scikit-learn's or any other behind the same interface, with or without folds."""

from __future__ import annotations

from math import isfinite
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError
from headrace.stages.folds import FoldContext, find_scorer, split_folds
from headrace.stages.growth import grow
from headrace.stages.threshold import apply_threshold, choose_threshold

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context


def fit(
    features: pd.DataFrame,
    target: pd.Series,
    estimator: BaseEstimator,
    context: Context,
    report_every: int | None = None,
    threshold: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Fit a fresh copy of the estimator, seeded by the run where it has no seed of its own.

    An estimator with a method `bind` is given the context for the time of the fit, so that it can
    show epochs, report a score after each, and keep checkpoints.

    With `report_every` boosting and forests of scikit-learn report an interim score every so many
    iterations or trees; `stages.growth.grow` says on which rows, and what that changes in the model.
    An estimator with `bind` reports as it does, whatever `report_every` says.

    With `threshold` a classifier of two classes decides by a threshold that a rule chooses on rows held
    out of these, as `stages.threshold.choose_threshold` says. The model itself is fitted on all rows.

    Raises:
        StageError: Features are not finite where the estimator wants them so, the target has one
            class, the loss or what was learned is not finite, `report_every` is given for an
            estimator that does not grow, or no threshold can be chosen.
    """
    if threshold is None:
        return {"estimator": _fit(features, target, estimator, context, report_every)}

    def fit_some(rows: np.ndarray) -> BaseEstimator:
        apart = FoldContext(context, "threshold")
        return _fit(features.iloc[rows], target.iloc[rows], estimator, apart, report_every)

    choice = choose_threshold(threshold, estimator, features, _labels(target), context.seed, fit_some)
    model = _fit(features, target, estimator, context, report_every)
    return {"estimator": apply_threshold(model, choice)}


def _fit(
    features: pd.DataFrame,
    target: pd.Series,
    estimator: BaseEstimator,
    context: Context,
    report_every: int | None,
) -> BaseEstimator:
    from sklearn.base import clone, is_classifier

    labels = _labels(target)
    model = clone(estimator)
    _seed(model, context.seed)
    _check_features(features, model)
    if is_classifier(model) and len(set(labels.tolist())) < 2:
        raise StageError(
            f"target {target.name} has one class, {labels.tolist()[0]!r}, in all {len(labels):,} rows"
        )
    bind = getattr(model, "bind", None)
    if bind:
        bind(context)
    try:
        if report_every is None or bind:
            model.fit(features, labels)
        else:
            grow(model, features, labels, report_every, context)
    except (ValueError, FloatingPointError) as error:
        if "finite" in str(error) or "NaN" in str(error):
            raise StageError(f"{type(model).__name__}: the loss is not finite: {error}") from error
        raise
    finally:
        if bind:
            bind(None)
    _check_learned(model, features)
    return model


def cross_validate(
    features: pd.DataFrame,
    target: pd.Series,
    estimator: BaseEstimator,
    context: Context,
    folds: int = 5,
    scoring: str | None = None,
    threshold: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Score the estimator by cross-validation, then fit it on all rows.

    After each fold the mean of the scores so far is reported: step 1 is the first fold. The folds are
    drawn by the run's seed, so two estimators are scored on the same ones. Each fit is one of `fit`.

    What the features learned before this stage, such as means to scale by, they learned from all
    training rows, so the scores are a little too good. They compare estimators; `evaluate` measures.

    With `threshold` each fold chooses its own, on rows held out of those that it learns from: that is
    how well the whole procedure does. It fits each fold twice.

    Returns:
        `estimator`, fitted on all rows, and `scores`: `scoring`, the score of each of the `folds`,
        their `mean`, and their standard deviation `std` (of the population, as numpy's). A score is
        the greater the better.

    Raises:
        StageError: As `fit`; the scorer is unknown; there are too few rows for so many folds; or a
            score is not finite.
    """
    labels = _labels(target)
    scorer = find_scorer(estimator, scoring)
    scores: list[float] = []
    with context.progress("folds", folds) as advance:
        for learned, held in split_folds(estimator, labels, folds, context.seed):
            number = len(scores) + 1
            one = FoldContext(context, f"fold-{number}")
            model = fit(features.iloc[learned], target.iloc[learned], estimator, one, threshold=threshold)[
                "estimator"
            ]
            scores.append(float(scorer(model, features.iloc[held], labels[held])))
            if not isfinite(scores[-1]):
                raise StageError(
                    f"the score of fold {number} is {scores[-1]}; try fewer folds, or another scoring"
                )
            advance(f"score {scores[-1]:.4f}")
            context.report(number, fmean(scores))
    fitted = fit(features, target, estimator, FoldContext(context, "all-rows"), threshold=threshold)
    figures = {"scoring": scoring, "folds": scores, "mean": fmean(scores), "std": pstdev(scores)}
    return {"estimator": fitted["estimator"], "scores": figures}


def _labels(target: pd.Series) -> np.ndarray:
    """Return labels as plain arrays: text as fixed-width unicode, which is stored without pickling."""
    if str(target.dtype) in ("category", "str", "object", "string"):
        values = target.to_numpy(dtype=object)
        text = all(isinstance(value, str) for value in values)
        return values.astype(str) if text else target.to_numpy(dtype=type(values[0]))
    return target.to_numpy()


def _seed(model: BaseEstimator, seed: int) -> None:
    params = model.get_params(deep=True)
    unset = {
        name: seed
        for name, value in params.items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    if unset:
        model.set_params(**unset)


def _check_features(features: pd.DataFrame, model: BaseEstimator) -> None:
    import numpy as np
    from sklearn.utils import get_tags

    numbers = features.select_dtypes("number")
    values = numbers.to_numpy()
    bad = np.isinf(values) if get_tags(model).input_tags.allow_nan else ~np.isfinite(values)
    counts = bad.sum(axis=0)
    if counts.any():
        named = ", ".join(
            f"{name} ({count:,}, first in row {int(bad[:, at].argmax())})"
            for at, (name, count) in enumerate(zip(numbers.columns, counts, strict=True))
            if count
        )
        raise StageError(
            f"{type(model).__name__} wants finite features; missing or infinite: {named}."
            " Fill missing ones with stages/preprocess=tabular"
        )


def _check_learned(model: BaseEstimator, features: pd.DataFrame) -> None:
    """Refuse a model that answers NaN: scikit-learn's solvers can diverge without a word."""
    import numpy as np

    sample = features.iloc[:100]
    answer = model.predict_proba(sample) if hasattr(model, "predict_proba") else model.predict(sample)
    if answer.dtype.kind == "f" and not np.isfinite(answer).all():
        raise StageError(f"{type(model).__name__} diverged: its predictions, so its loss, are not finite")
