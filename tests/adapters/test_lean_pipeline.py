"""A pipeline without tables between its steps answers the same, and what it cannot be sure of stays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from headrace.adapters.lean_pipeline import make_lean
from headrace.stages.package import make_package
from headrace.stages.preprocess import tabular
from tests.packages import rows

TREES = {"encode": "ordinal", "impute": False, "scale": False}


def fitted(estimator: Any, **options: Any) -> Any:
    table = rows().drop(columns="ring")
    made = tabular(table, table, "species", **options)
    model = estimator.fit(made["train_features"], made["train_target"])
    return make_package(made["preprocessor"], model, table, "species")["model"].estimator


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (LogisticRegression(), {}),
        (RandomForestClassifier(5, random_state=0), TREES),
        (HistGradientBoostingClassifier(max_iter=3, categorical_features=["island"]), TREES),
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.3, pos_label="Gentoo"), {}),
    ],
)
def test_answers_are_equal_but_for_rounding_and_nothing_warns(
    estimator: Any, options: dict[str, Any]
) -> None:
    """Also of rows that it was not tried on; the pipeline that was given still gives tables."""
    model = fitted(estimator, **options)
    lean = make_lean(model, rows().head(1))
    assert lean is not model
    asked = rows(seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lean.predict(asked).tolist() == model.predict(asked).tolist()
        np.testing.assert_allclose(lean.predict_proba(asked), model.predict_proba(asked), rtol=0, atol=1e-12)
    assert isinstance(model[:-1].transform(asked), pd.DataFrame)


def named(table: pd.DataFrame) -> pd.DataFrame:
    return table[["x"]] * 2


def test_a_step_that_wants_names_or_is_no_pipeline_stays_as_it_is() -> None:
    """Whatever goes wrong in trying, the answer is the pipeline itself."""
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    first = FunctionTransformer().set_output(transform="pandas")
    pipeline = Pipeline([["first", first], ["named", FunctionTransformer(named)], ["fit", Ridge()]])
    model = pipeline.fit(table, [1, 2, 3])
    ridge = Ridge().fit(table, [1, 2, 3])
    assert make_lean(ridge, table) is ridge
    found = make_lean(model, table)
    assert found.predict(table).tolist() == model.predict(table).tolist()
