"""Torch classifiers behind scikit-learn's interface, stored as weights and never pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

# The classes below inherit from these; nobody imports this module before a torch model is built.
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from headrace.errors import StageError
from headrace.models.modules import build_cnn, build_mlp
from headrace.models.training import (
    Examples,
    Recipe,
    predict_scores,
    settle_device,
    settle_precision,
    train_module,
)

if TYPE_CHECKING:
    import torch

    from headrace.core.ports import Context

META = "meta"
WEIGHTS = "weights."


class TorchClassifier(ClassifierMixin, BaseEstimator):
    """What the classifiers share. A subclass names its params in `__init__` and builds its module.

    `bind(context)` before `fit` gives epochs a progress bar, logs and checkpoints; it is no param
    and never stored.
    """

    stored_as_weights = True

    lr: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    validation_share: float
    device: str
    precision: str
    threads: int
    random_state: int | None
    _context: Context | None = None

    def bind(self, context: Context | None) -> None:
        """Take the context for the next `fit`, or let go of it with None."""
        self._context = context

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's own names
        """Train on a seeded share of the rows, and stop by the loss on the others."""
        import torch

        rows = validate_data(self, X, dtype=np.float32)
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        recipe = self._recipe()
        with torch.random.fork_rng([]):
            torch.manual_seed(recipe.seed)
            self.module_ = self._build(rows.shape[1], len(self.classes_)).to(recipe.device)
        learned, held = self._split(numbers)
        x, y = (torch.from_numpy(np.ascontiguousarray(part)).to(recipe.device) for part in (rows, numbers))
        self.history_ = train_module(
            self.module_,
            Examples(x=x[learned], y=y[learned]),
            Examples(x=x[held], y=y[held]),
            recipe,
            self._context,
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the chances of each class, `(n_rows, n_classes)`, in the order of `classes_`."""
        import torch

        check_is_fitted(self, "module_")
        rows = validate_data(self, X, dtype=np.float32, reset=False)
        x = torch.from_numpy(np.ascontiguousarray(rows)).to(next(self.module_.parameters()).device)
        scores = predict_scores(self.module_, x, self.batch_size).double()
        chances: np.ndarray = scores.softmax(dim=1).cpu().numpy()
        return chances

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the likeliest class of each row."""
        predicted: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return predicted

    def export_state(self) -> dict[str, np.ndarray]:
        """Return all that fitting learned as plain arrays; classes and names are JSON in `meta`."""
        check_is_fitted(self, "module_")
        meta = {
            "classes": self.classes_.tolist(),
            "dtype": self.classes_.dtype.str,
            "n_features": self.n_features_in_,
            "feature_names": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": self.history_,
        }
        state = {META: np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)}
        for name, value in self.module_.state_dict().items():
            state[WEIGHTS + name] = value.detach().cpu().numpy()
        return state

    @classmethod
    def restore(cls, params: Mapping[str, Any], state: Mapping[str, np.ndarray]) -> Self:
        """Make the fitted estimator again from `get_params()` and `export_state()`."""
        import torch

        model = cls(**params)
        meta = json.loads(bytes(np.asarray(state[META], dtype=np.uint8)))
        model.classes_ = np.array(meta["classes"], dtype=meta["dtype"])
        model.n_features_in_ = meta["n_features"]
        if meta["feature_names"]:
            model.feature_names_in_ = np.array(meta["feature_names"], dtype=object)
        model.history_ = meta["history"]
        module = model._build(model.n_features_in_, len(model.classes_))
        module.load_state_dict(
            {
                name.removeprefix(WEIGHTS): torch.from_numpy(np.array(value))
                for name, value in state.items()
                if name.startswith(WEIGHTS)
            }
        )
        # A model trained on a GPU is served where there may be none.
        device = model.device if model.device == "auto" or torch.cuda.is_available() else "auto"
        model.module_ = module.to(settle_device(device)).eval()
        return model

    def _build(self, n_features: int, n_classes: int) -> torch.nn.Module:
        raise NotImplementedError

    def _recipe(self) -> Recipe:
        device = settle_device(self.device)
        return Recipe(
            lr=float(self.lr),
            weight_decay=float(self.weight_decay),
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            seed=self.random_state or 0,
            device=device,
            precision=settle_precision(self.precision, device),
            threads=self.threads,
        )

    def _split(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.model_selection import train_test_split

        rare = np.bincount(numbers).min() < 2
        try:
            learned, held = train_test_split(
                np.arange(len(numbers)),
                test_size=self.validation_share,
                random_state=self.random_state or 0,
                stratify=None if rare else numbers,
            )
        except ValueError as error:
            raise StageError(
                f"{len(numbers)} rows cannot spare model.validation_share {self.validation_share}: {error}"
            ) from error
        return learned, held


class MLP(TorchClassifier):
    """A multi-layer perceptron for scaled tabular features; `hidden` gives the width of each layer."""

    def __init__(
        self,
        hidden: Sequence[int] = (64, 64),
        dropout: float = 0.1,
        lr: float = 0.003,
        weight_decay: float = 0.01,
        batch_size: int = 64,
        max_epochs: int = 60,
        patience: int = 10,
        validation_share: float = 0.1,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.precision = precision
        self.threads = threads
        self.random_state = random_state

    def _build(self, n_features: int, n_classes: int) -> torch.nn.Module:
        return build_mlp(n_features, n_classes, self.hidden, self.dropout)


class CNN(TorchClassifier):
    """A small convolutional network for images given as rows of `height * width` grey pixels."""

    def __init__(
        self,
        image_shape: Sequence[int] = (8, 8),
        channels: Sequence[int] = (16, 32),
        hidden: int = 64,
        dropout: float = 0.3,
        lr: float = 0.003,
        weight_decay: float = 0.01,
        batch_size: int = 64,
        max_epochs: int = 30,
        patience: int = 6,
        validation_share: float = 0.1,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.channels = channels
        self.hidden = hidden
        self.dropout = dropout
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.precision = precision
        self.threads = threads
        self.random_state = random_state

    def _build(self, n_features: int, n_classes: int) -> torch.nn.Module:
        return build_cnn(n_features, n_classes, self.image_shape, self.channels, self.hidden, self.dropout)
