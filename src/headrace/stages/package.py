"""Make the one thing that is published: a model that takes raw rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def join_model(preprocessor: BaseEstimator, estimator: BaseEstimator) -> dict[str, Any]:
    """Join fitted preprocessing and estimator; nothing is fitted again.

    The model takes raw rows, with or without the target and the dropped columns, in any order of
    columns, and predicts the labels as the source spells them.
    """
    from sklearn.pipeline import Pipeline

    # Lists, not tuples: only these survive clone, set_params and skops alike.
    return {"model": Pipeline([["preprocessor", preprocessor], ["estimator", estimator]])}
