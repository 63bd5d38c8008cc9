"""Fit on the training rows what turns raw columns into features, and apply it to both parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

ENCODINGS = ("onehot", "ordinal")


def tabular(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    drop: list[str] | None = None,
    encode: Literal["onehot", "ordinal"] = "onehot",
    impute: bool = True,
    scale: bool = True,
) -> dict[str, Any]:
    """Fill, scale and encode by the type of each column.

    A category that training never saw becomes zeros (`onehot`) or a missing value (`ordinal`);
    a missing category is one of its own.

    Args:
        drop: Columns that are no features: identifiers, and what is known only afterwards.
        encode: `onehot`, or `ordinal` for trees, which split whole numbers well.
        impute: Put the training median in place of missing numbers; false leaves them missing.
        scale: Bring numbers to mean 0 and deviation 1.

    Raises:
        StageError: A column that is neither number nor category, an infinite value to fill or scale,
            or no feature is left.
    """
    if encode not in ENCODINGS:
        raise StageError(f"stages.preprocess.params.encode is {encode!r}; use {' or '.join(ENCODINGS)}")
    numbers, categories = _kinds(train, _features(train, target, drop))
    steps = []
    if numbers:
        steps.append(["numbers", _number_steps(impute, scale), numbers])
    if categories:
        steps.append(["categories", _encoder(encode), categories])
    return _apply(steps, train, test, target)


def select(
    train: pd.DataFrame, test: pd.DataFrame, target: str, drop: list[str] | None = None
) -> dict[str, Any]:
    """Pass every feature column on as it is."""
    return _apply([["kept", "passthrough", _features(train, target, drop)]], train, test, target)


def _features(train: pd.DataFrame, target: str, drop: list[str] | None) -> list[str]:
    names = [str(name) for name in train.columns]
    for name in [target, *(drop or [])]:
        if name not in names:
            what = "target column" if name == target else "column of dataset.drop:"
            raise StageError(f"no {what} {name}; {did_you_mean(name, names)}")
    features = [name for name in names if name != target and name not in (drop or [])]
    if not features:
        raise StageError("no feature is left: the table holds only the target and dropped columns")
    return features


def _kinds(train: pd.DataFrame, features: list[str]) -> tuple[list[str], list[str]]:
    """Sort features into numbers (booleans too) and categories, by type and never by value."""
    from pandas.api import types

    numbers, categories, others = [], [], []
    for name in features:
        dtype = train[name].dtype
        if types.is_numeric_dtype(dtype):
            numbers.append(name)
        elif str(dtype) in ("category", "str", "string", "object"):
            categories.append(name)
        else:
            others.append(f"{name} ({dtype})")
    if others:
        raise StageError(
            f"no feature can be made of {', '.join(others)}: name them in dataset.drop,"
            " or make numbers of them in dataset.derive (`weekday: time.dt.weekday`)"
        )
    return numbers, categories


def _number_steps(impute: bool, scale: bool) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    # Lists, not tuples: only these survive clone, set_params and skops alike.
    steps: list[list[Any]] = []
    if impute:
        # A column that training saw empty stays, filled with 0: the model's shape must not depend on it.
        steps.append(["impute", SimpleImputer(strategy="median", keep_empty_features=True)])
    if scale:
        steps.append(["scale", StandardScaler()])
    return Pipeline(steps) if steps else "passthrough"


def _encoder(encode: str) -> BaseEstimator:
    import numpy as np
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if encode == "onehot":
        return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)


def _refuse_infinite(part: str, table: pd.DataFrame, cause: Exception) -> None:
    """Name the columns with infinite values, and the first rows: scikit-learn's own error names neither.

    Where it has no error, as with trees, infinite values are fine.
    """
    import numpy as np

    told = []
    for name, column in table.select_dtypes("number").items():
        rows = table.index[np.isinf(column.to_numpy(dtype=float, na_value=np.nan))]
        if len(rows):
            told.append(f"{name} ({len(rows):,}; rows {', '.join(map(str, rows[:5]))})")
    if told:
        raise StageError(
            f"infinite values among the {part} rows in {', '.join(told)}:"
            " let the schema reject them, such as `in_range: {min_value: 0, max_value: 1000}`"
        ) from cause


def _apply(steps: list[list[Any]], train: pd.DataFrame, test: pd.DataFrame, target: str) -> dict[str, Any]:
    from sklearn.compose import ColumnTransformer

    preprocessor = ColumnTransformer(steps, verbose_feature_names_out=False)
    preprocessor.set_output(transform="pandas")
    try:
        train_features = preprocessor.fit_transform(train.drop(columns=target))
        test_features = preprocessor.transform(test.drop(columns=target))
    except ValueError as error:
        features = [str(name) for _, _, columns in steps for name in columns]
        for part, table in (("training", train), ("test", test)):
            _refuse_infinite(part, table[[name for name in features if name in table.columns]], error)
        raise
    return {
        "preprocessor": preprocessor,
        "train_features": train_features,
        "train_target": train[target],
        "test_features": test_features,
        "test_target": test[target],
    }
