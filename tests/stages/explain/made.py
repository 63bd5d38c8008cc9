"""Answers to measure: of two classes, of many, of one, without probabilities, and of a regression."""

from __future__ import annotations

import numpy as np

from headrace.stages.explain.answers import Answers


def binary(rows: int = 4000, positive: int = 1) -> Answers:
    rng = np.random.default_rng(0)
    chance = rng.beta(0.8, 0.8, size=rows)
    target = (rng.random(rows) < chance**1.5).astype(int)
    return Answers(
        task="binary",
        target_name="y",
        target=target,
        predicted=(chance > 0.5).astype(int),
        classes=("no", "yes"),
        positive=positive,
        chances=np.column_stack([1 - chance, chance]),
    )


def many(classes: int, rows: int = 2000) -> Answers:
    rng = np.random.default_rng(1)
    target = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes)) + 2 * np.eye(classes)[target]
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return Answers(
        task="multiclass",
        target_name="y",
        target=target,
        predicted=chances.argmax(axis=1),
        classes=tuple(f"c{number:02d}" for number in range(classes)),
        chances=chances,
    )


def one_class() -> Answers:
    return Answers(
        task="binary",
        target_name="y",
        target=np.ones(5, dtype=int),
        predicted=np.ones(5, dtype=int),
        classes=("no", "yes"),
        positive=1,
        chances=np.tile([0.3, 0.7], (5, 1)),
    )


def silent() -> Answers:
    whole = binary(50)
    return Answers(
        task="binary",
        target_name="y",
        target=whole.target,
        predicted=whole.predicted,
        classes=whole.classes,
        positive=1,
    )


def regression(rows: int) -> Answers:
    rng = np.random.default_rng(3)
    target = rng.normal(size=rows)
    return Answers(
        task="regression", target_name="y", target=target, predicted=target + rng.normal(0.5, 1, rows)
    )
