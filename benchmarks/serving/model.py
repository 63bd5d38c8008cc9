"""The model that every server of the benchmark has: 14 raw columns, prepared and classified by scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = [f"number_{at}" for at in range(10)]
WORDS = [f"word_{at}" for at in range(4)]
VALUES = ["north", "east", "south", "west", "nowhere"]


def make_rows(rows: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=rows).round(3) for name in NUMBERS}
    return pd.DataFrame(numbers | {name: rng.choice(VALUES, rows) for name in WORDS})


def fit() -> Any:
    numbers = Pipeline([["fill", SimpleImputer(strategy="median")], ["scale", StandardScaler()]])
    words = OneHotEncoder(handle_unknown="ignore")
    prepare = ColumnTransformer([["numbers", numbers, NUMBERS], ["words", words, WORDS]])
    model = Pipeline([["prepare", prepare], ["model", LogisticRegression()]])
    rows = make_rows(5000, seed=0)
    return model.fit(rows, np.where(rows["number_0"] + rows["number_1"] > 0, "late", "punctual"))


if __name__ == "__main__":
    joblib.dump(fit(), Path(sys.argv[1]))
