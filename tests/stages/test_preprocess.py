"""Preprocessing: fitted on training rows alone, and sturdy on rows it has never seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrace.errors import StageError
from headrace.stages import preprocess


@pytest.fixture
def train() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "mass": [1.0, None, 3.0, 2.0],
            "sex": ["f", "m", None, "m"],
            "id": [1, 2, 3, 4],
            "kind": list("abab"),
        }
    )


def test_tabular_fills_scales_and_encodes(train: pd.DataFrame) -> None:
    """Numbers are filled and scaled; a missing category is a category; dropped columns are gone."""
    out = preprocess.tabular(train, train, "kind", drop=["id"])
    features = out["train_features"]
    assert list(features.columns) == ["mass", "sex_f", "sex_m", "sex_nan"]
    assert abs(features["mass"].mean()) < 1e-12
    assert not features.isna().any().any()
    assert out["train_target"].tolist() == ["a", "b", "a", "b"]


def test_unseen_categories_do_not_fail(train: pd.DataFrame) -> None:
    """A category that training never saw is zeros, or missing where categories are numbered."""
    test = train.assign(sex="x")
    onehot = preprocess.tabular(train, test, "kind")["test_features"]
    assert onehot[["sex_f", "sex_m", "sex_nan"]].to_numpy().sum() == 0
    ordinal = preprocess.tabular(train, test, "kind", encode="ordinal", impute=False, scale=False)
    assert ordinal["test_features"]["sex"].isna().all()
    assert ordinal["train_features"]["mass"].isna().sum() == 1


def test_the_test_part_teaches_nothing(train: pd.DataFrame) -> None:
    """What is fitted depends on training rows only."""
    far = train.assign(mass=1000.0)
    one = preprocess.tabular(train, train, "kind")["train_features"]
    two = preprocess.tabular(train, far, "kind")["train_features"]
    pd.testing.assert_frame_equal(one, two)


def test_select_passes_columns_on_unchanged(train: pd.DataFrame) -> None:
    """`none` gives the same numbers in the same order."""
    features = preprocess.select(train, train, "kind", ["id", "sex"])["train_features"]
    assert np.array_equal(features["mass"], train["mass"], equal_nan=True)


def test_columns_that_are_no_features_are_named(train: pd.DataFrame) -> None:
    """A time column is named with what to do, and a misspelt drop with the near name."""
    timed = train.assign(at=pd.Timestamp("2013-01-01"))
    with pytest.raises(StageError, match=r"at \(datetime64.*name them in dataset\.drop"):
        preprocess.tabular(timed, timed, "kind")
    with pytest.raises(StageError, match=r"did you mean mass\?"):
        preprocess.tabular(train, train, "kind", drop=["masss"])


@pytest.mark.parametrize("part", ["training", "test"])
def test_an_infinite_value_is_told_by_column_and_row(part: str) -> None:
    """Which column and which rows, in either part, and only where something cannot take it."""
    good = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1, None, 3], "c": [1, 2, 3], "kind": list("aba")})
    good["n"] = pd.array([1, None, 3], dtype="Int64")
    bad = good.assign(a=[1.0, np.inf, 2.0], b=[np.inf, np.nan, np.inf])
    train, test = (bad, good) if part == "training" else (good, bad)
    message = rf"among the {part} rows in a \(1; rows 1\), b \(2; rows 0, 2\)"
    with pytest.raises(StageError, match=message):
        preprocess.tabular(train, test, "kind")
    kept = preprocess.select(train, test, "kind")
    features = kept["train_features" if part == "training" else "test_features"]
    assert np.isinf(features["b"]).sum() == 2
