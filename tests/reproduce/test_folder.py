"""How far apart two estimators or folders in a lake are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.adapters.codec_files import FilesCodec
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.ports import MAIN
from headrace.models.net import MLP
from headrace.reproduce.distance import Distance
from headrace.reproduce.folder import between_folders

Store = Callable[[Any, str], Artifact]
X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 2


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


@pytest.fixture
def store(lake: EmbeddedLake, tmp_path: Path) -> Store:
    def put(value: Any, name: str) -> Artifact:
        codec = FilesCodec() if isinstance(value, Path) else EstimatorCodec()
        codec.write(value, tmp_path / name)
        for file in sorted((tmp_path / name).rglob("*")):
            if file.is_file():
                lake.put(MAIN, f"{name}/{file.relative_to(tmp_path / name)}", file.read_bytes())
        commit = lake.commit(MAIN, name, {})
        commit_id = commit if isinstance(commit, str) else commit.id
        return Artifact(digest="", bytes=0, codec=codec.name, uri=lake_uri(commit_id, name))

    return put


def test_coefficients_that_are_nearly_the_same_are_measured(lake: EmbeddedLake, store: Store) -> None:
    """The fitted arrays of a scikit-learn estimator are compared as numbers."""
    model = LogisticRegression().fit(X, Y)
    before = store(model, "before")
    model.coef_ = model.coef_ + np.array([[0.0, 1e-12]])
    found = between_folders(lake, before, store(model, "now"))
    assert found.absolute == pytest.approx(1e-12, rel=1e-3)
    assert found.where.startswith("estimator.skops: ")
    assert found.where.endswith("[0, 1]")


def test_a_parameter_is_a_number_too(lake: EmbeddedLake, store: Store) -> None:
    """It is told where it stands in the file; one that is a text is endlessly far from another."""
    before = store(LogisticRegression(C=1.0).fit(X, Y), "before")
    now = LogisticRegression(C=1.0).fit(X, Y)
    now.C = 1.5
    assert between_folders(lake, before, store(now, "now")).absolute == 0.5
    now.C, now.solver = 1.0, "saga"
    assert not between_folders(lake, before, store(now, "later")).is_measured


def test_trees_are_compared_node_by_node(lake: EmbeddedLake, store: Store) -> None:
    """A tree that asks something else is measured, or endlessly far, and never the same."""
    params = {"max_iter": 2, "min_samples_leaf": 2, "random_state": 0}
    first = HistGradientBoostingRegressor(**params).fit(X, X[:, 0])
    second = HistGradientBoostingRegressor(**params).fit(X, X[:, 0] * (1 + 1e-9))
    before = store(first, "before")
    assert between_folders(lake, before, store(first, "again")) == Distance()
    found = between_folders(lake, before, store(second, "now"))
    assert 0 < found.scaled < 1e-6


def test_weights_are_measured_by_name(lake: EmbeddedLake, store: Store) -> None:
    """The arrays of a torch estimator are compared, and its params."""
    model = MLP(max_epochs=1, hidden=[2]).fit(X.astype("float32"), Y)
    before = store(model, "before")
    weight = next(iter(model.module_.parameters()))
    weight.data[0, 1] += 0.25
    found = between_folders(lake, before, store(model, "now"))
    assert found.absolute == pytest.approx(0.25)
    assert found.where.startswith("weights.safetensors: ")


def test_files_that_are_not_in_both_are_told(lake: EmbeddedLake, store: Store, tmp_path: Path) -> None:
    """By name; of files that hold no numbers only the bytes count."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    np.save(folder / "b.npy", np.array([1.0, 2.0]))
    before = store(folder, "before")
    np.save(folder / "b.npy", np.array([1.0, 2.5]))
    assert between_folders(lake, before, store(folder, "now")).where == "b.npy: [1]"
    (folder / "a.txt").write_text("two")
    assert between_folders(lake, before, store(folder, "later")).where == "a.txt: other bytes"
    (folder / "c.txt").write_text("")
    assert "c.txt" in between_folders(lake, before, store(folder, "last")).where
