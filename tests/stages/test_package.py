"""A package says what the model takes and gives, and its example is nobody's row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from headrace.core.package import Package
from headrace.errors import StageError
from headrace.stages.package import make_package
from headrace.stages.preprocess import tabular

ROWS = pd.DataFrame(
    {
        "age": np.array([20, 30, 30, 40, 90], dtype="int64"),
        "place": pd.Series(["n", "s", None, "n", "e"], dtype="str"),
        "code": ["q", "r", "s", "t", "u"],
        "rich": [True, False, True, False, True],
    }
)
SCHEMA = {
    "columns": {
        "age": {"dtype": "int64", "greater_than": 0},
        "place": {"dtype": "str", "nullable": True, "metadata": {"private": "hash"}},
        "code": {"dtype": "str"},
        "rich": {"dtype": "bool"},
    }
}


def package_of(target: str, estimator: Any, **more: Any) -> Package:
    made = tabular(ROWS, ROWS, target, ["code"])
    fitted = estimator.fit(made["train_features"], made["train_target"])
    found: Package = make_package(made["preprocessor"], fitted, ROWS, target, ["code"], **more)["model"]
    return found


def test_a_classifier_tells_its_columns_and_classes() -> None:
    """What it reads is required, the target and dropped columns are ignored, labels are in order."""
    package = package_of("rich", LogisticRegression(), schema=SCHEMA)
    signature = package.signature
    assert signature.names == ("age", "place")
    assert signature.ignored == ("rich", "code")
    assert (signature.task, signature.dtype, signature.classes) == ("classification", "bool", (False, True))
    assert signature.inputs[0].checks == {"greater_than": 0}


def test_the_example_is_of_middle_and_most_frequent_values_with_the_models_answer() -> None:
    """It is one row in JSON, and the answer to it is what the estimator says."""
    package = package_of("rich", LogisticRegression())
    assert package.example == {"age": [30], "place": ["n"]}
    row = pd.DataFrame({"age": [30], "place": ["n"]})
    answers = package.answer(row, probabilities=True)
    assert package.expected["prediction"] == answers.predictions.tolist()
    assert [package.expected["False"][0], package.expected["True"][0]] == answers.probabilities[0].tolist()


def test_a_class_may_be_called_prediction() -> None:
    """What the model said of its example stays the label."""
    table = ROWS[["age"]].assign(target=["prediction", "other"] * 2 + ["other"])
    made = tabular(table, table, "target")
    fitted = LogisticRegression().fit(made["train_features"], made["train_target"])
    package = make_package(made["preprocessor"], fitted, table, "target")["model"]
    assert package.expected["prediction"][0] in ("prediction", "other")


def test_a_regressor_gives_numbers_and_no_probabilities() -> None:
    """Asking for them is an error."""
    package = package_of("age", Ridge())
    assert (package.signature.task, package.signature.classes) == ("regression", ())
    with pytest.raises(ValueError, match="no probabilities"):
        package.answer(ROWS, probabilities=True)


def test_a_private_column_is_in_no_profile() -> None:
    """The package is copied about, so it tells nothing of the values of a private column."""
    profile = package_of("rich", LogisticRegression(), schema=SCHEMA).profile
    assert [column["name"] for column in profile["columns"]] == ["age"]


def test_a_regressor_of_whole_numbers_answers_numbers_between_them() -> None:
    """The type of its answers is that of the answers: tables that hold them must cut nothing off."""
    assert package_of("age", Ridge()).signature.dtype == "float64"


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [([2, 5, 2, 5, 5], "int64"), (["a", "b", "a", "b", "b"], "str")],
)
def test_a_classifier_answers_in_the_type_of_its_labels(labels: list[Any], dtype: str) -> None:
    """Also where the target is a categorical."""
    for target in (pd.Series(labels), pd.Series(labels, dtype="category")):
        table = ROWS[["age"]].assign(target=target)
        made = tabular(table, table, "target")
        fitted = LogisticRegression().fit(made["train_features"], made["train_target"])
        signature = make_package(made["preprocessor"], fitted, table, "target")["model"].signature
        assert (signature.dtype, signature.classes) == (dtype, tuple(sorted(set(labels))))


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ({"nullable": True, "metadata": {"private": "hash"}}, None),
        ({"metadata": {"private": "leave_out"}}, "private"),
        ({}, "n"),
    ],
)
def test_a_private_text_that_few_rows_share_is_in_no_example(place: dict[str, Any], shown: Any) -> None:
    """The example is published: it shows an address no more than the profile does."""
    schema = {"columns": {**SCHEMA["columns"], "place": {"dtype": "str", **place}}}
    assert package_of("rich", LogisticRegression(), schema=schema).example["place"] == [shown]


def test_without_training_rows_there_is_no_package() -> None:
    """The error says what is missing."""
    made = tabular(ROWS, ROWS, "rich", ["code"])
    fitted = LogisticRegression().fit(made["train_features"], made["train_target"])
    with pytest.raises(StageError, match="no training rows"):
        make_package(made["preprocessor"], fitted, ROWS.iloc[:0], "rich", ["code"])
