"""A package answers the same after a round trip, and a file that was changed is refused by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.adapters.codec_package import PackageCodec, read_without_estimator
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.package import Package
from headrace.errors import PackageRefused
from headrace.testing.codec import CodecContract

ROWS = pd.DataFrame({"a": np.arange(6.0), "b": [1.0, 0.0, 1.0, 3.0, 2.0, 5.0]})


def package(onnx: bytes | None = None) -> Package:
    model = Pipeline([["scale", StandardScaler()], ["fit", LogisticRegression()]])
    signature = ModelSignature(
        inputs=(InputColumn(name="a", dtype="float64"), InputColumn(name="b", dtype="float64")),
        task="classification",
        dtype="str",
        classes=("no", "yes"),
        probabilities=True,
    )
    return Package(
        estimator=model.fit(ROWS, ["no", "yes"] * 3),
        signature=signature,
        example={"a": [1.0], "b": [2.0]},
        expected={"prediction": ["no"], "no": [0.5], "yes": [0.5]},
        profile={"rows": 6, "columns": []},
        onnx=onnx,
        onnx_told="equal" if onnx else "",
    )


class TestPackageCodec(CodecContract):
    """The contract of every codec."""

    @pytest.fixture
    def codec(self) -> PackageCodec:
        return PackageCodec(EstimatorCodec())

    @pytest.fixture(params=[None, b"graph"])
    def value(self, request: pytest.FixtureRequest) -> Package:
        return package(request.param)

    def same(self, left: Any, right: Any) -> bool:
        answers = [one.answer(ROWS, probabilities=True) for one in (left, right)]
        return (
            (answers[0].probabilities == answers[1].probabilities).all()
            and left.signature == right.signature
            and (left.example, left.expected, left.onnx) == (right.example, right.expected, right.onnx)
        )


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    PackageCodec(EstimatorCodec()).write(package(b"graph"), tmp_path / "model")
    return tmp_path / "model"


def read(path: Path, wanted: str = "") -> Any:
    return PackageCodec(EstimatorCodec()).read(path, wanted)


def test_a_stage_gets_the_estimator_where_it_wants_one(stored: Path) -> None:
    """A champion is compared as an estimator, and a fresh process reads the path."""
    assert read(stored, "sklearn.base.BaseEstimator").predict(ROWS).shape == (6,)
    assert read(stored, "pathlib.Path") == stored


@pytest.mark.parametrize("name", ["estimator/estimator.skops", "profile.json", "model.onnx"])
def test_a_changed_file_is_refused_by_its_name(stored: Path, name: str) -> None:
    """One byte more is enough, and nothing is read from the package."""
    with (stored / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(PackageRefused, match=f"{name} is not the file that was published"):
        read(stored)


def test_a_missing_file_and_a_path_outside_are_refused_by_name(stored: Path) -> None:
    """What the manifest names must be there, and below the package."""
    manifest = json.loads((stored / "package.json").read_text())
    (stored / "profile.json").unlink()
    with pytest.raises(PackageRefused, match=r"profile\.json is missing"):
        read(stored)
    manifest["files"] = {"../other": "sha256:0"}
    (stored / "package.json").write_text(json.dumps(manifest))
    with pytest.raises(PackageRefused, match=r"\.\./other, which lies outside"):
        read(stored)


def test_what_is_no_package_or_of_another_time_is_told(stored: Path, tmp_path: Path) -> None:
    """The error says which format this headrace reads."""
    with pytest.raises(PackageRefused, match="is no package"):
        read(tmp_path)
    (stored / "package.json").write_text('{"format": 99}')
    with pytest.raises(PackageRefused, match="format 99, and this headrace reads 1"):
        read(stored)


def test_everything_but_the_estimator_is_read_without_it(stored: Path) -> None:
    """Another engine needs the rest alone."""
    found = read_without_estimator(stored)
    assert (found.estimator, found.onnx) == (None, b"graph")
