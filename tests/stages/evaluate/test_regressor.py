"""Judging a regressor: the document, baseline and champion."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline

from headrace.errors import StageError
from headrace.stages import evaluate


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=200), "place": rng.choice(["n", "s"], 200)})
    return table.assign(y=3 * table["x"] + rng.normal(size=200) + 10)


def test_the_document_compares_with_baseline_and_champion(rows: pd.DataFrame) -> None:
    """Errors are better when smaller, the baseline is scikit-learn's, and a worse champion is beaten."""
    model = LinearRegression().fit(rows[["x"]], rows["y"])
    champion = make_pipeline(make_column_transformer(("passthrough", ["x"])), Ridge(alpha=500))
    champion.fit(rows, rows["y"])
    out = evaluate.regression(
        *(model, rows[["x"]], rows["y"], rows, rows["y"], champion),
        slices=["place"],
        baseline="median",
        bootstrap=100,
    )
    document = out["evaluation"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(out["metrics"]) == {"rmse", "mae", "median_absolute_error", "r2"}
    dummy = DummyRegressor(strategy="median").fit(rows[["x"]], rows["y"]).predict(rows[["x"]])
    assert document["metrics"]["mae"]["baseline"] == pytest.approx(mean_absolute_error(rows["y"], dummy))
    for name, entry in document["metrics"].items():
        assert entry["greater_is_better"] == (name == "r2")
        assert entry["low"] < entry["value"] < entry["high"]
        assert 0 < entry["gain_low"] < entry["gain"] < entry["gain_high"]
    assert [group["name"] for group in document["slices"][0]["groups"]] == ["place=n", "place=s"]
    assert document["champion"] == {"estimator": "Ridge", "why": None}


def test_a_champion_that_cannot_answer_fails_nothing(rows: pd.DataFrame) -> None:
    """A champion of other columns, and one of classes, is told and left out."""
    model = LinearRegression().fit(rows[["x"]], rows["y"])
    other = make_pipeline(make_column_transformer(("passthrough", ["z"])), Ridge())
    other.fit(rows.rename(columns={"x": "z"}), rows["y"])
    document = evaluate.regression(model, rows[["x"]], rows["y"], rows, champion=other, bootstrap=0)[
        "evaluation"
    ]
    assert "cannot predict these rows" in document["champion"]["why"]
    assert document["metrics"]["rmse"]["gain"] is None


def test_a_target_that_is_no_number_is_refused(rows: pd.DataFrame) -> None:
    """Text, and values that are missing, are told with the row and what to type."""
    model = LinearRegression().fit(rows[["x"]], rows["y"])
    with pytest.raises(StageError, match="stages/evaluate=classification"):
        evaluate.regression(model, rows[["x"]], rows["place"])
    with pytest.raises(StageError, match=r"1 of 200 values are missing or infinite.*row 5"):
        evaluate.regression(model, rows[["x"]], rows["y"].where(rows.index != 5))
