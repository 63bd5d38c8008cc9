"""Metrics of numbers by weights, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from headrace.stages.evaluate.number_measure import NumberMeasure


def measured(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    found = NumberMeasure(truth, predicted)(weights[None, :])
    return {name: float(value[0]) for name, value in found.items()}


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_a_resample_by_weights_is_the_resample_by_rows(seed: int, n_rows: int) -> None:
    """What counts as weights give is what scikit-learn gives on the rows drawn, the median too."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(1000, 3, n_rows)
    predicted = truth + rng.normal(size=n_rows).round(1)
    drawn = rng.integers(0, n_rows, n_rows)
    found = measured(truth, predicted, np.bincount(drawn, minlength=n_rows).astype(float))
    y, p = truth[drawn], predicted[drawn]
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(y, p))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, p))
    assert found["median_absolute_error"] == pytest.approx(sk.median_absolute_error(y, p))
    if len(set(y)) > 1:
        assert found["r2"] == pytest.approx(sk.r2_score(y, p), abs=1e-6)
    else:
        assert np.isnan(found["r2"])


@given(st.integers(0, 10_000))
def test_weights_are_those_of_scikit_learn(seed: int) -> None:
    """Any weights give what scikit-learn gives with the same `sample_weight`."""
    rng = np.random.default_rng(seed)
    truth, noise, weights = rng.normal(size=30), rng.normal(size=30), rng.gamma(1.0, size=30) + 0.01
    found = measured(truth, truth + noise, weights)
    args = {"y_true": truth, "y_pred": truth + noise, "sample_weight": weights}
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(**args))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(**args))
    assert found["r2"] == pytest.approx(sk.r2_score(**args))


def test_a_constant_target_has_no_r2() -> None:
    """Where the target does not vary there is no share of variance; the errors are known all the same."""
    found = measured(np.full(4, 1e9), np.full(4, 1e9 + 1), np.ones(4))
    assert np.isnan(found["r2"])
    assert found["rmse"] == 1
