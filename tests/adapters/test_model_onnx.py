"""ONNX is kept where it converts and says the same; where not, the reason is told."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from headrace.adapters.model_onnx import OnnxExport, OnnxModel
from headrace.core.package import Package
from headrace.errors import StageError
from headrace.stages.package import make_package
from headrace.stages.preprocess import tabular

pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 300
    table = pd.DataFrame({"mean size": rng.normal(size=n), "count": rng.integers(0, 9, n)})
    table["place"] = pd.Series(rng.choice(["n", "s", "e"], n), dtype="str")
    table.loc[::7, "place"] = None
    table.loc[::5, "mean size"] = np.nan
    table["cost"] = table["count"] * 2.0 + rng.normal(size=n)
    table["kind"] = np.where(table["count"] + rng.normal(size=n) > 4, "hi", "lo")
    return table


def packed(
    estimator: Any, target: str, tolerance: float = 1e-5, **options: Any
) -> tuple[Package, pd.DataFrame]:
    table = rows().drop(columns="kind" if target == "cost" else "cost")
    made = tabular(table, table, target, **options)
    fitted = estimator.fit(made["train_features"], made["train_target"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        package: Package = make_package(
            made["preprocessor"], fitted, table, target, export=OnnxExport(tolerance)
        )["model"]
    return package, table


def by_column(table: pd.DataFrame, package: Package) -> dict[str, list[Any]]:
    plain = {name: table[name].astype(object) for name in package.signature.names}
    return {name: column.where(column.notna(), None).tolist() for name, column in plain.items()}


def test_a_classifier_answers_the_same_labels_and_nearly_the_same_probabilities() -> None:
    """Missing numbers and categories, and names with blanks in them, come through."""
    package, table = packed(LogisticRegression(), "kind")
    assert package.onnx is not None
    assert package.onnx_told == "equal on 300 training rows"
    theirs = OnnxModel(package.onnx, package.signature).answer(by_column(table, package), probabilities=True)
    ours = package.answer(table, probabilities=True)
    assert theirs.predictions.tolist() == ours.predictions.tolist()
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-5)


def test_a_regressor_answers_nearly_the_same_numbers() -> None:
    """The answers have one dimension, as the estimator's have."""
    package, table = packed(Ridge(), "cost")
    assert package.onnx is not None
    model = OnnxModel(package.onnx, package.signature)
    theirs = model.answer(by_column(table, package))
    assert model.answer(table).predictions.tolist() == theirs.predictions.tolist()
    np.testing.assert_allclose(theirs.predictions, package.answer(table).predictions, rtol=1e-4, atol=1e-4)
    assert theirs.probabilities is None


def test_what_differs_by_more_than_is_allowed_is_not_kept() -> None:
    """The reason says by how much."""
    package, _ = packed(LogisticRegression(), "kind", tolerance=1e-12)
    assert package.onnx is None
    assert "more than 1e-12" in package.onnx_told


def test_what_does_not_convert_is_told_and_costs_nothing_else() -> None:
    """Boosting with categories has no ONNX; the package is there all the same."""
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=["place"])
    package, table = packed(model, "kind", encode="ordinal", impute=False, scale=False)
    assert package.onnx is None
    assert package.onnx_told.startswith("does not convert: ")
    assert len(package.answer(table).predictions) == 300


def test_the_same_model_gives_the_same_file() -> None:
    """A package's digest says whether two results are one."""
    assert packed(LogisticRegression(), "kind")[0].onnx == packed(LogisticRegression(), "kind")[0].onnx


def test_a_file_that_is_no_graph_is_refused() -> None:
    """The error names the file."""
    package, _ = packed(LogisticRegression(), "kind")
    with pytest.raises(StageError, match=r"model\.onnx cannot be read"):
        OnnxModel(b"no graph", package.signature)
