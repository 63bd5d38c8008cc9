"""Metrics of classes by weights, against scikit-learn on rows that are really repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from headrace.stages.evaluate.class_measure import Answers, ClassMeasure


def make(seed: int, n_rows: int, n_classes: int) -> Answers:
    """Make answers better than chance; probabilities are rounded, so that scores tie."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_rows)
    chances = (rng.random((n_rows, n_classes)) + np.eye(n_classes)[truth] * 0.4).round(1) + 0.05
    chances /= chances.sum(axis=1, keepdims=True)
    classes = np.array([f"c{at}" for at in range(n_classes)])
    positive = 1 if n_classes == 2 else None
    return Answers(
        classes=classes, truth=truth, predicted=chances.argmax(1), chances=chances, positive=positive
    )


def by_scikit_learn(answers: Answers, **kwargs: Any) -> dict[str, float]:
    """Return the same metrics from scikit-learn; those that it does not define are left out."""
    y, p, chances = answers.truth, answers.predicted, answers.chances
    assert chances is not None
    k = len(answers.classes)
    quiet = {"zero_division": 0.0, **kwargs}
    found = {
        "accuracy": sk.accuracy_score(y, p, **kwargs),
        "f1_macro": sk.f1_score(y, p, average="macro", **quiet),
        "log_loss": sk.log_loss(y, chances, labels=range(k), **kwargs),
        "brier": sk.brier_score_loss(y, chances if k > 2 else chances[:, 1], labels=range(k), **kwargs),
    }
    if len({*y, *p}) > 1:  # it warns of the rest, and so below
        found["matthews_corrcoef"] = sk.matthews_corrcoef(y, p, **kwargs)
    if len(set(y)) > 1 and set(p) <= set(y):
        found["balanced_accuracy"] = sk.balanced_accuracy_score(y, p, **kwargs)
    if k > 2:
        return found | {"precision_macro": sk.precision_score(y, p, average="macro", **quiet)}
    found["precision"] = sk.precision_score(y, p, **quiet)
    if y.any():
        found["recall"] = sk.recall_score(y, p, **kwargs)
        found["average_precision"] = sk.average_precision_score(y, chances[:, 1], **kwargs)
    if y.any() or p.any():
        found["f1"] = sk.f1_score(y, p, **quiet)
    if len(set(y)) == 2:
        found["roc_auc"] = sk.roc_auc_score(y, chances[:, 1], **kwargs)
    return found


def measured(answers: Answers, weights: np.ndarray) -> dict[str, float]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: float(value[0]) for name, value in ClassMeasure(answers)(weights[None, :]).items()}


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([2, 3, 5]))
def test_a_resample_by_weights_is_the_resample_by_rows(seed: int, n_rows: int, n_classes: int) -> None:
    """What counts as weights give is what scikit-learn gives on the rows drawn, ties and lost classes too."""
    answers = make(seed, n_rows, n_classes)
    drawn = np.random.default_rng(seed).integers(0, n_rows, n_rows)
    counts = np.bincount(drawn, minlength=n_rows).astype(float)
    found, wanted = measured(answers, counts), by_scikit_learn(answers.take(drawn))
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)
    undetermined = {name for name, value in found.items() if np.isnan(value)}
    assert undetermined == set(found) - set(wanted) - {"balanced_accuracy", "matthews_corrcoef"}


@given(st.integers(0, 10_000), st.sampled_from([2, 4]))
def test_weights_are_those_of_scikit_learn(seed: int, n_classes: int) -> None:
    """Any weights give what scikit-learn gives with the same `sample_weight`."""
    answers = make(seed, 30, n_classes)
    weights = np.random.default_rng(seed).gamma(1.0, size=30) + 0.01
    wanted = by_scikit_learn(answers, sample_weight=weights)
    found = measured(answers, weights)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)


@given(st.permutations(range(12)), st.sampled_from([2, 3]))
def test_the_order_of_rows_does_not_matter(order: list[int], n_classes: int) -> None:
    """Rows in another order, with their weights, give the same metrics."""
    answers, weights = make(3, 12, n_classes), np.arange(1.0, 13.0)
    shuffled = measured(answers.take(np.array(order)), weights[order])
    assert shuffled == pytest.approx(measured(answers, weights))


def test_without_probabilities_there_is_no_loss_and_no_ranking() -> None:
    """An estimator that gives labels only is judged by labels only."""
    answers = replace(make(0, 20, 2), chances=None)
    assert set(measured(answers, np.ones(20))) == {
        *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "matthews_corrcoef")
    }


def test_what_rows_do_not_determine_is_nan() -> None:
    """Rows of one class have no area under the ROC curve, and without a positive row no recall."""
    answers = replace(make(0, 5, 2), truth=np.zeros(5, int), predicted=np.zeros(5, int))
    found = measured(answers, np.ones(5))
    assert {name for name, value in found.items() if np.isnan(value)} == {
        *("recall", "f1", "roc_auc", "average_precision")
    }
    assert found["accuracy"] == 1


def test_a_sure_and_wrong_probability_has_a_finite_loss() -> None:
    """A probability of 0 for the class that came is clipped as scikit-learn clips it, by its precision."""
    for dtype in (np.float32, np.float64):
        chances = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=dtype)
        answers = Answers(
            classes=np.array([0, 1]),
            truth=np.array([1, 0]),
            predicted=np.array([0, 1]),
            chances=chances,
            positive=1,
        )
        wanted = sk.log_loss([1, 0], chances)
        assert measured(answers, np.ones(2))["log_loss"] == pytest.approx(wanted)
