"""Calibration holds against scikit-learn and known values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from headrace.stages.explain.calibration import measure_calibration, wilson_interval
from tests.stages.explain.made import binary, many, one_class


def test_calibration_is_that_of_scikit_learn() -> None:
    """Bins by quantiles and the Brier score agree with scikit-learn's, for the positive class."""
    answers = binary()
    found = measure_calibration(answers)
    chance = answers.chance_of(1)
    observed, predicted = calibration_curve(answers.target, chance, n_bins=10, strategy="quantile")
    assert np.allclose(found["curve"]["observed"], observed, atol=1e-5)
    assert np.allclose(found["curve"]["predicted"], predicted, atol=1e-5)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(answers.target, chance))
    assert sum(found["curve"]["rows"]) == len(answers.target)


def test_calibration_of_many_classes_is_that_of_what_was_predicted() -> None:
    """Of many classes the chance of the predicted one is held against how often it was right."""
    answers = many(5)
    found = measure_calibration(answers)
    assert answers.chances is not None
    right, chance = answers.right, answers.chances.max(axis=1)
    observed, _ = calibration_curve(right, chance, n_bins=10, strategy="quantile")
    assert np.allclose(found["curve"]["observed"], observed, atol=1e-5)
    brier = metrics.brier_score_loss(answers.target, answers.chances, labels=range(5))
    assert found["brier"] == pytest.approx(brier)


def test_calibration_with_fewer_rows_than_bins() -> None:
    """Few rows, or rows that all have one chance, make fewer bins and no empty one."""
    for answers in (binary(3), one_class()):
        curve = measure_calibration(answers)["curve"]
        assert sum(curve["rows"]) == len(answers.target)
        assert all(curve["rows"])


def test_wilson_interval_has_the_known_values() -> None:
    """0 of 10 gives 0 to 0.2775 and 5 of 10 gives 0.2366 to 0.7634 (Newcombe 1998)."""
    low, high = wilson_interval(np.array([0.0, 0.5]), np.array([10, 10]))
    assert np.allclose(low, [0, 0.2366], atol=1e-4)
    assert np.allclose(high, [0.2775, 0.7634], atol=1e-4)
