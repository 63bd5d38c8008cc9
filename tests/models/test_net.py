"""Torch models: seeded, resumable, and stored without pickling."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.errors import Pruned, StageError

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from headrace.models.net import CNN, MLP


class Watcher:
    """A context that keeps what it is told, and can stop or prune a training after some epochs."""

    seed = 0

    def __init__(self, workdir: Path, stop_after: int | None = None, prune_at: int | None = None) -> None:
        self.workdir = workdir
        self.prune_at = prune_at
        self.stop_after = stop_after
        self.steps: list[int] = []

    def log(self, metrics: Any, step: int | None = None) -> None:
        self.steps.append(step or 0)
        if step == self.stop_after:
            raise KeyboardInterrupt

    def report(self, step: int, value: float) -> None:
        if step == self.prune_at:
            raise Pruned.at("train", step)

    def progress(self, description: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda note: None)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


def small(**params: Any) -> CNN:
    return CNN(**{"channels": [4], "hidden": 8, "max_epochs": 4, "random_state": 1, **params})


def test_a_seed_gives_the_same_model_and_another_seed_another(digits: Any) -> None:
    """On a CPU training is deterministic for a seed, and the seed matters."""
    one, two, other = (small(random_state=seed).fit(*digits).predict_proba(digits[0]) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_interrupted_training_goes_on_as_if_nothing_had_been(digits: Any, tmp_path: Path) -> None:
    """Stopped after epoch 2 and started again, it runs epochs 3 and 4 only, to the very same weights."""
    whole = small().fit(*digits)
    stopped = small()
    stopped.bind(Watcher(tmp_path, stop_after=2))
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(*digits)
    resumed, watcher = small(), Watcher(tmp_path)
    resumed.bind(watcher)
    resumed.fit(*digits)
    assert watcher.steps == [3, 4]
    assert resumed.history_ == whole.history_
    for name, value in whole.export_state().items():
        assert np.array_equal(value, resumed.export_state()[name]), name


def test_a_pruned_training_leaves_torch_as_it_was_and_can_go_on(digits: Any, tmp_path: Path) -> None:
    """Pruned at epoch 2 it restores threads and random numbers, and keeps that epoch's checkpoint."""
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    model = small(threads=threads + 1)
    model.bind(Watcher(tmp_path, prune_at=2))
    with pytest.raises(Pruned):
        model.fit(*digits)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    resumed, watcher = small(threads=threads + 1), Watcher(tmp_path)
    resumed.bind(watcher)
    resumed.fit(*digits)
    assert watcher.steps == [3, 4]


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_checkpoint_is_passed_over(digits: Any, tmp_path: Path, content: bytes) -> None:
    """A checkpoint that cannot be read costs its epochs, never the run."""
    (tmp_path / "epoch.safetensors").write_bytes(content)
    watcher = Watcher(tmp_path)
    model = small(max_epochs=1)
    model.bind(watcher)
    model.fit(*digits)
    assert watcher.steps == [1]


def test_a_checkpoint_of_other_params_is_passed_over(digits: Any, tmp_path: Path) -> None:
    """Another learning rate is another training."""
    for lr in (0.01, 0.02):
        watcher = Watcher(tmp_path)
        model = small(max_epochs=1, lr=lr)
        model.bind(watcher)
        model.fit(*digits)
        assert watcher.steps == [1]


def test_early_stopping_ends_and_keeps_the_best_epoch(digits: Any) -> None:
    """It stops `patience` epochs after the lowest validation loss."""
    model = small(max_epochs=60, patience=2, lr=0.02).fit(*digits)
    losses = [entry["valid_loss"] for entry in model.history_]
    assert len(losses) < 60
    assert len(losses) - 1 - int(np.argmin(losses)) == 2


@pytest.mark.parametrize("labels", [["duck", "goose"], [3, 5], [False, True]])
def test_export_and_restore_give_identical_predictions(labels: list[Any]) -> None:
    """Params through JSON and state through plain arrays give the same model, labels included."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.array(labels)[(X[:, 0] > 0).astype(int)]
    model = MLP(hidden=[8], max_epochs=2, random_state=0).fit(X, y)
    params = json.loads(json.dumps(model.get_params()))
    state = model.export_state()
    assert all(isinstance(value, np.ndarray) and value.dtype.kind in "fiu" for value in state.values())
    again = MLP.restore(params, state)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.predict(X).dtype == y.dtype
    assert MLP.stored_as_weights


def test_training_leaves_the_callers_random_numbers_alone(digits: Any) -> None:
    """Fitting does not move torch's global generator, nor its number of threads."""
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    small(max_epochs=1).fit(*digits)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_loss_that_is_not_finite_names_the_epoch(digits: Any) -> None:
    """A hopeless learning rate ends in an error that says which param to lower."""
    with pytest.raises(StageError, match=r"not finite in epoch \d+.*lower model\.lr"):
        MLP(hidden=[8, 8], lr=1e30, max_epochs=5, random_state=0).fit(*digits)


@pytest.mark.parametrize(
    ("params", "told"),
    [({"image_shape": [8, 9]}, "needs 72 pixel columns, found 64"), ({"channels": [2] * 4}, "too many")],
)
def test_images_that_do_not_fit_are_told(digits: Any, params: dict[str, Any], told: str) -> None:
    """A shape that is not the data's, and more blocks than pixels, name the param."""
    with pytest.raises(StageError, match=told):
        small(**params).fit(*digits)
