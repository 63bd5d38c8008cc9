"""Estimators predict the same after a round trip, and nothing in their files is executed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.errors import StageError
from headrace.testing.codec import CodecContract, digest_of


def penguins() -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"mass": rng.normal(size=120), "bill": rng.normal(size=120)})
    frame["island"] = pd.Series(rng.choice(["Biscoe", "Dream"], 120), dtype="str")
    frame.loc[::7, "mass"] = np.nan
    target = pd.Series(np.where(frame["bill"] > 0, "Adelie", "Gentoo"), name="species")
    return frame, target


def columns(encoder: Any) -> ColumnTransformer:
    numbers = Pipeline([["impute", SimpleImputer()], ["scale", StandardScaler()]])
    return ColumnTransformer([["numbers", numbers, ["mass", "bill"]], ["words", encoder, ["island"]]])


def pipeline(name: str) -> Pipeline:
    one_hot = OneHotEncoder(handle_unknown="ignore")
    model: dict[str, Any] = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(8, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=5, categorical_features=[2], random_state=0),
        "network": MLPClassifier([4], max_iter=5, random_state=0),
    }
    encoder = OrdinalEncoder() if name == "boosting" else one_hot
    return Pipeline([["preprocess", columns(encoder)], ["estimator", model[name]]])


NAMES = ["logistic", "forest", "boosting", "network"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestSklearn(CodecContract):
    """The contract, for pipelines from raw rows to predictions."""

    @pytest.fixture
    def codec(self) -> EstimatorCodec:
        return EstimatorCodec()

    @pytest.fixture(params=NAMES)
    def value(self, request: pytest.FixtureRequest) -> Any:
        return pipeline(request.param).fit(*penguins())

    def same(self, left: Any, right: Any) -> bool:
        rows, _ = penguins()
        return bool(np.array_equal(left.predict_proba(rows), right.predict_proba(rows)))


FIT = """
import sys
from pathlib import Path
from tests.adapters.test_codec_estimator import penguins, pipeline
from headrace.adapters.codec_estimator import EstimatorCodec
for name in ("logistic", "forest", "boosting"):
    EstimatorCodec().write(pipeline(name).fit(*penguins()), Path(sys.argv[1]) / name)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Two fits on the same data in two processes, with other hash seeds, have one digest."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src")])
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", FIT, str(tmp_path / seed)],
            check=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "MALLOC_PERTURB_": seed},
        )
    assert digest_of(tmp_path / "1") == digest_of(tmp_path / "2")


def test_skops_imports_little() -> None:
    """Storing an estimator does not import all of scikit-learn, nor torch."""
    code = (
        "import sys, io; from sklearn.linear_model import LogisticRegression as L\n"
        "from pathlib import Path; from headrace.adapters.codec_estimator import EstimatorCodec as C\n"
        "import tempfile; d = Path(tempfile.mkdtemp()) / 'e'\n"
        "C().write(L().fit([[0], [1]], [0, 1]), d); assert C().read(d, '').predict([[1]]) == 1\n"
        "assert not {'torch', 'pytest', 'sklearn.semi_supervised'} & set(sys.modules)"
    )
    source = str(Path(__file__).parents[2] / "src")
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": source})


class Stranger(BaseEstimator):  # type: ignore[misc]
    """An estimator that nobody has reviewed."""

    def fit(self, rows: Any, target: Any) -> Stranger:
        return self


def test_unreviewed_type_is_refused_when_written(tmp_path: Path) -> None:
    """A type that reading would refuse is refused by name before anything is stored."""
    with pytest.raises(StageError, match=r"(?s)Stranger.*trusted="):
        EstimatorCodec().write(Stranger(), tmp_path / "e")


def test_reviewed_type_can_be_named(tmp_path: Path) -> None:
    """A type given to the codec is stored and restored."""
    codec = EstimatorCodec(trusted=[f"{Stranger.__module__}.Stranger"])
    codec.write(Stranger(), tmp_path / "e")
    assert type(codec.read(tmp_path / "e", "")) is Stranger
    with pytest.raises(StageError, match="Stranger"):
        EstimatorCodec().read(tmp_path / "e", "")


def test_lambda_is_refused(tmp_path: Path) -> None:
    """A function without a name of its own is refused with what to use."""
    with pytest.raises(StageError):
        EstimatorCodec().write(FunctionTransformer(lambda rows: rows), tmp_path / "e")


def rewrite(folder: Path, member: str, data: bytes) -> None:
    """Replace one member of the skops file, and the digest that the manifest has of it."""
    file = folder / "estimator.skops"
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members[member] = data
    with zipfile.ZipFile(file, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["estimator.skops"] = digest(file)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def digest(file: Path) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def test_planted_call_is_not_executed(tmp_path: Path) -> None:
    """A file whose schema names os.system is refused by that name, and nothing is run."""
    codec = EstimatorCodec()
    codec.write(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "e")
    with zipfile.ZipFile(tmp_path / "e" / "estimator.skops") as source:
        schema = json.loads(source.read("schema.json"))
    schema["content"]["content"]["evil"] = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "FunctionNode",
    }
    rewrite(tmp_path / "e", "schema.json", json.dumps(schema).encode())
    with pytest.raises(StageError, match=r"os\.system"):
        codec.read(tmp_path / "e", "")


@pytest.mark.parametrize(
    ("name", "field", "value", "said"),
    [
        ("forest", "left_child", 10_000, "a child lies"),
        ("forest", "left_child", 0, "a child lies"),
        ("forest", "feature", 99, "a feature does not exist"),
        ("boosting", "left", 10_000, "a child lies"),
        ("boosting", "feature_idx", 99, "a feature does not exist"),
    ],
)
def test_damaged_tree_is_refused(name: str, field: str, value: int, said: str, tmp_path: Path) -> None:
    """A tree whose indices lead outside, which would crash the process, is refused when read."""
    codec = EstimatorCodec()
    codec.write(pipeline(name).fit(*penguins()), tmp_path / "e")
    with zipfile.ZipFile(tmp_path / "e" / "estimator.skops") as source:
        arrays = {n: np.load(io.BytesIO(source.read(n))) for n in source.namelist() if n.endswith(".npy")}
    member, nodes = next((n, a) for n, a in arrays.items() if field in (a.dtype.names or ()))
    nodes[field][0] = value
    buffer = io.BytesIO()
    np.save(buffer, nodes)
    rewrite(tmp_path / "e", member, buffer.getvalue())
    with pytest.raises(StageError, match=said):
        codec.read(tmp_path / "e", "")


def test_changed_file_is_refused(tmp_path: Path) -> None:
    """A file that is not the one the manifest was written with is named."""
    EstimatorCodec().write(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "e")
    (tmp_path / "e" / "estimator.skops").write_bytes(b"another")
    with pytest.raises(StageError, match=r"estimator\.skops is not the file"):
        EstimatorCodec().read(tmp_path / "e", "")


@pytest.mark.parametrize(
    "cls",
    ["os.path.join", "subprocess.Popen", "headrace.models.net.importlib", "headrace.modelsx.Evil", "a b.c"],
)
def test_class_in_a_manifest_is_only_a_model(cls: str, tmp_path: Path) -> None:
    """A manifest cannot have any class imported but a model that is stored as weights."""
    safetensors = pytest.importorskip("safetensors.numpy")
    pytest.importorskip("torch")
    (tmp_path / "e").mkdir()
    safetensors.save_file({"w": np.zeros(1)}, tmp_path / "e" / "weights.safetensors")
    manifest = {
        "format": 1,
        "kind": "weights",
        "class": cls,
        "files": {"weights.safetensors": digest(tmp_path / "e" / "weights.safetensors")},
        "params": {"args": "true"},
        "texts": {},
    }
    (tmp_path / "e" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StageError, match=r"which is not under|no estimator class|is not there"):
        EstimatorCodec().read(tmp_path / "e", "")


class Scale(BaseEstimator):  # type: ignore[misc]
    """The smallest estimator that is params and arrays."""

    stored_as_weights = True

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def fit(self, rows: Any, target: Any) -> Scale:
        self.classes_ = np.unique(np.asarray(target, dtype=object))
        self.centre_ = np.asarray(rows, dtype="float32").mean(axis=0)
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[((np.asarray(rows) - self.centre_)[:, 1] * self.factor > 0).astype(int)]

    def export_state(self) -> dict[str, Any]:
        return {"classes_": self.classes_, "centre_": self.centre_}

    @classmethod
    def restore(cls, params: Any, state: Any) -> Scale:
        made = cls(**params)
        for name, array in state.items():
            setattr(made, name, array)
        return made


class TestWeights(CodecContract):
    """The contract, for a published model whose last step is stored as weights."""

    @pytest.fixture
    def codec(self) -> EstimatorCodec:
        pytest.importorskip("safetensors")
        return EstimatorCodec(importable=[f"{Scale.__module__}."])

    @pytest.fixture
    def value(self) -> Any:
        steps = [["preprocess", columns(OneHotEncoder())], ["skip", "passthrough"], ["estimator", Scale(0.5)]]
        return Pipeline(steps).fit(*penguins())

    def same(self, left: Any, right: Any) -> bool:
        rows, _ = penguins()
        names = [name for name, _ in right.steps]
        dtypes = left[-1].classes_.dtype == right[-1].classes_.dtype
        return (
            names == [name for name, _ in left.steps]
            and dtypes
            and list(left.predict(rows)) == list(right.predict(rows))
        )


class Chances(ClassifierMixin, Scale):  # type: ignore[misc]
    """A classifier that gives probabilities."""

    def predict_proba(self, rows: Any) -> Any:
        second = (np.asarray(rows) - self.centre_)[:, 1] * self.factor
        return np.stack([1 / (1 + np.exp(second)), 1 / (1 + np.exp(-second))], axis=1)


def decide(model: Any, rows: Any, target: Any) -> FixedThresholdClassifier:
    """Make what training with a threshold makes: a fitted classifier, wrapped."""
    wrapped = FixedThresholdClassifier(
        model, threshold=0.75, pos_label="Gentoo", response_method="predict_proba"
    ).fit(rows, target)
    wrapped.threshold_choice_ = {"rule": "maximize f1", "value": 0.75, "curve": [{"threshold": 0.75}]}
    return wrapped


@pytest.mark.parametrize("kind", ["skops", "threshold"])
def test_a_threshold_and_how_it_was_chosen_come_back(kind: str, tmp_path: Path) -> None:
    """A model that decides by a threshold decides alike after reading, with weights inside or without."""
    frame, target = penguins()
    rows = frame[["bill", "bill"]].to_numpy()
    codec = EstimatorCodec(importable=[f"{Scale.__module__}."])
    if kind == "threshold":
        pytest.importorskip("safetensors")
    written = decide(LogisticRegression() if kind == "skops" else Chances(2.0), rows, target)
    inside = Pipeline([["keep", "passthrough"], ["estimator", written]])
    for number, value in enumerate([written, inside]):
        codec.write(value, tmp_path / str(number))
        read = codec.read(tmp_path / str(number), "sklearn.base.BaseEstimator")
        assert list(read.predict(rows)) == list(value.predict(rows))
        last = read if number == 0 else read[-1]
        assert last.threshold_choice_ == written.threshold_choice_
        assert list(last.classes_) == ["Adelie", "Gentoo"]
    assert len(set(written.predict(rows))) == 2
    assert json.loads((tmp_path / "0" / "manifest.json").read_text())["kind"] == kind


def test_a_threshold_that_json_cannot_say_is_refused(tmp_path: Path) -> None:
    """Around weights, a label of a type that JSON does not know is an error that says which."""
    pytest.importorskip("safetensors")
    codec = EstimatorCodec(importable=[f"{Scale.__module__}."])
    frame, target = penguins()
    value = decide(Chances(), frame[["bill", "bill"]].to_numpy(), target)
    value.pos_label = np.str_
    with pytest.raises(StageError, match="pos_label"):
        codec.write(value, tmp_path / "e")


def test_class_elsewhere_is_refused_when_written(tmp_path: Path) -> None:
    """A class that reading would not import is refused before it is stored."""
    with pytest.raises(StageError, match="importable="):
        EstimatorCodec().write(Scale().fit([[0, 1], [1, 0]], ["a", "b"]), tmp_path / "e")


@pytest.mark.parametrize(
    "wanted", ["sklearn.linear_model.LogisticRegression", "sklearn.base.BaseEstimator", "typing.Any"]
)
def test_public_names_are_understood(wanted: str, tmp_path: Path) -> None:
    """An estimator is given as its class by the public name, as its parent, and as anything."""
    EstimatorCodec().write(LogisticRegression(), tmp_path / "e")
    assert type(EstimatorCodec().read(tmp_path / "e", wanted)) is LogisticRegression
    with pytest.raises(StageError, match="LogisticRegression"):
        EstimatorCodec().read(tmp_path / "e", "sklearn.svm.SVC")
