"""The torch modules: plain functions that build them, so that importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.errors import StageError

if TYPE_CHECKING:
    import torch


def build_mlp(n_features: int, n_classes: int, hidden: Sequence[int], dropout: float) -> torch.nn.Module:
    """Build a perceptron over scaled features `(n_rows, n_features)`; no `hidden` makes it linear."""
    from torch import nn

    layers: list[nn.Module] = []
    width = n_features
    for units in hidden:
        layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, n_classes))


def build_cnn(
    n_features: int,
    n_classes: int,
    image_shape: Sequence[int],
    channels: Sequence[int],
    hidden: int,
    dropout: float,
) -> torch.nn.Module:
    """Build a convolutional network over rows of grey pixels, row by row: `(n_rows, height * width)`.

    Each entry of `channels` is a block that halves the image. The first layer learns the pixels'
    mean and deviation, so they need no scaling beforehand.
    """
    from torch import nn

    height, width = image_shape
    if height * width != n_features:
        raise StageError(
            f"model.image_shape {height} x {width} needs {height * width} pixel columns, found {n_features}"
        )
    smallest = min(height, width) >> len(channels)
    if smallest < 1:
        raise StageError(f"model.channels has {len(channels)} blocks: too many for {height} x {width} pixels")
    layers: list[nn.Module] = [nn.Unflatten(1, (1, height, width)), nn.BatchNorm2d(1)]
    before = 1
    for after in channels:
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        before = after
    flat = before * (height >> len(channels)) * (width >> len(channels))
    head = [
        nn.Flatten(),
        nn.Linear(flat, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    ]
    return nn.Sequential(*layers, *head)
