"""The model as its user knows it: from raw columns to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A fitted model, a table that it takes, and the true labels, all of the same rows."""

    model: BaseEstimator
    table: pd.DataFrame
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> Subject:
        """Return the same model with some of the rows, by position."""
        return Subject(model=self.model, table=self.table.iloc[rows], labels=self.labels[rows])


def join_subject(
    estimator: BaseEstimator,
    features: pd.DataFrame,
    labels: np.ndarray,
    preprocessor: BaseEstimator | None,
    rows: pd.DataFrame,
) -> Subject:
    """Join preprocessing and estimator, over the raw columns that reach the estimator.

    A raw column is easier to read than what is made of it (a category in place of its ten columns of
    0 and 1, millimetres in place of deviations). Without a preprocessor it is over the features.
    """
    from sklearn.pipeline import Pipeline

    if preprocessor is None:
        return Subject(model=estimator, table=features, labels=labels)
    model = Pipeline([["preprocessor", preprocessor], ["estimator", estimator]])
    return Subject(model=model, table=rows[_used_columns(preprocessor)], labels=labels)


def _used_columns(preprocessor: BaseEstimator) -> list[str]:
    """Return the columns that are not dropped, in the order of the raw table."""
    known = [str(name) for name in preprocessor.feature_names_in_]
    parts = getattr(preprocessor, "transformers_", None)
    if parts is None:
        return known
    used: set[str] = set()
    for _, transformer, columns in parts:
        # Positions, slices and masks are turned into names by scikit-learn itself for `remainder` only.
        if transformer == "drop":
            continue
        if not all(isinstance(column, str) for column in columns):
            return known
        used |= set(columns)
    return [name for name in known if name in used]
