"""A package is tried as those who get it will: by a process that has seen nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.adapters.codec_package import PackageCodec
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.package import Package
from headrace.errors import StageError
from headrace.stages.smoke import answer_in_fresh_process

ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0], "colour": pd.Categorical(["red", "blue", None])})


def stored(estimator: Any, folder: Path) -> Path:
    signature = ModelSignature(inputs=(InputColumn(name="x", dtype="float64"),))
    package = Package(estimator=estimator, signature=signature, example={"x": [1.0]}, expected={})
    PackageCodec(EstimatorCodec()).write(package, folder / "model")
    return folder / "model"


def try_out(model: Path, folder: Path, **more: Any) -> dict[str, Any]:
    context: Any = SimpleNamespace(workdir=folder)
    found: dict[str, Any] = answer_in_fresh_process(model, ROWS, context, **more)["smoke"]
    return found


def test_a_package_loads_and_answers_as_it_was_evaluated(tmp_path: Path) -> None:
    """Text labels come back as they are, for as many rows as are asked about."""
    model = stored(DummyClassifier(strategy="constant", constant="b").fit(ROWS, ["a", "b", "b"]), tmp_path)
    predictions = pd.DataFrame({"predicted": ["b", "b", "b"]})
    found = try_out(model, tmp_path, predictions=predictions, rows=2)
    assert found == {"loads": True, "answers": True, "rows": 2, "error": ""}


def test_other_answers_than_were_evaluated_are_no_answers(tmp_path: Path) -> None:
    """The first row that differs is named with both answers."""
    model = stored(LinearRegression().fit(ROWS[["x"]], [0.0, 2.0, 4.0]), tmp_path)
    asked = ROWS[["x"]]
    context: Any = SimpleNamespace(workdir=tmp_path)
    predictions = pd.DataFrame({"predicted": [0.0, 2.5, 4.0]})
    found = answer_in_fresh_process(model, asked, context, predictions=predictions)["smoke"]
    assert (found["loads"], found["answers"]) == (True, False)
    assert found["error"].startswith("row 1: the package says 2")
    assert found["error"].endswith("and 2.5 was evaluated")


def test_a_package_that_cannot_answer_says_why(tmp_path: Path) -> None:
    """It loads, and its own error is told."""
    model = stored(LinearRegression().fit(ROWS[["x"]].to_numpy(), [0.0, 1.0, 2.0]), tmp_path)
    found = try_out(model, tmp_path)
    assert (found["loads"], found["answers"]) == (True, False)
    assert found["error"].startswith("ValueError")


def test_a_package_that_is_damaged_does_not_load(tmp_path: Path) -> None:
    """A file that is not what the manifest says stops it before anything is read from it."""
    model = stored(DummyClassifier().fit(ROWS, [0, 0, 1]), tmp_path)
    (model / "estimator" / "manifest.json").write_text("{}")
    found = try_out(model, tmp_path)
    assert (found["loads"], found["answers"]) == (False, False)
    assert "estimator/manifest.json is not the file that was published" in found["error"]


def test_a_package_that_takes_too_long_does_not_load(tmp_path: Path) -> None:
    """The limit is in the error."""
    found = try_out(tmp_path, tmp_path, timeout_seconds=0.01)
    assert found["error"] == "no answer in 0.01 s"


def test_no_rows_are_no_question(tmp_path: Path) -> None:
    """The error says what to set."""
    with pytest.raises(StageError, match=r"stages\.smoke\.params\.rows is 0; use 1 or more"):
        try_out(tmp_path, tmp_path, rows=0)
