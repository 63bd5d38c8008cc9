"""Bootstrap intervals: how rows are drawn, and what the ends of an interval are."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.errors import StageError
from headrace.stages.evaluate import resample
from headrace.stages.evaluate.number_measure import NumberMeasure


class Mean:
    """The weighted mean of some values."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": (weights * self._values).sum(axis=1) / weights.sum(axis=1)}

    def take(self, rows: np.ndarray) -> Mean:
        return Mean(self._values[rows])


def test_each_resample_draws_as_many_rows_as_there_are() -> None:
    """Counts are whole, add up to the rows, and have mean and variance 1 but for chance and 1 / n."""
    counts = np.concatenate(list(resample.draw(200, 3000, seed=1)))
    assert counts.shape == (3000, 200)
    assert (counts.sum(axis=1) == 200).all()
    assert (counts == counts.round()).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(200), abs=0.1)
    assert counts.var() == pytest.approx(1 - 1 / 200, abs=0.02)


def test_blocks_make_no_difference_to_their_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same resamples, another seed others, however few fit into a block."""
    whole = np.concatenate(list(resample.draw(30, 50, seed=1)))
    assert (np.concatenate(list(resample.draw(30, 50, seed=1))) == whole).all()
    assert (np.concatenate(list(resample.draw(30, 50, seed=2))) != whole).any()
    monkeypatch.setattr(resample, "CELLS", 100)
    blocks = list(resample.draw(30, 50, seed=1))
    assert {len(block) for block in blocks} == {3, 2}
    assert (np.concatenate(blocks) == whole).all()


def test_an_interval_is_that_of_plain_resampling() -> None:
    """The ends agree with those from rows that are really drawn, but for what chance leaves."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    predicted = truth + rng.normal(size=300)
    drawn = resample.bootstrap({"a": (NumberMeasure(truth, predicted), None)}, np.ones(300), 4000, 0)
    low, high = resample.interval(drawn["a"]["rmse"], 0.9)
    errors = (truth - predicted)[rng.integers(0, 300, (4000, 300))]
    wanted = np.quantile(np.sqrt((errors**2).mean(axis=1)), [0.05, 0.95])
    assert [low, high] == pytest.approx(wanted.tolist(), abs=0.005)


def test_intervals_cover_what_they_should() -> None:
    """Of 300 intervals of level 0.9 for a mean, about nine in ten hold the true one."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(300):
        drawn = resample.bootstrap({"a": (Mean(rng.normal(size=80)), None)}, np.ones(80), 300, seed)
        low, high = resample.interval(drawn["a"]["mean"], 0.9)
        assert low is not None
        assert high is not None
        held += low <= 0 <= high
    assert 0.84 <= held / 300 <= 0.95


def test_measures_see_the_same_resamples() -> None:
    """Two models on the same rows can be paired: what one resample does to both cancels."""
    values = np.random.default_rng(0).normal(size=50)
    measures = {"a": (Mean(values), None), "b": (Mean(values + 1), None)}
    drawn = resample.bootstrap(measures, np.ones(50), 100, 0)
    assert drawn["b"]["mean"] - drawn["a"]["mean"] == pytest.approx(np.ones(100))


def test_a_part_is_resampled_with_the_whole() -> None:
    """Rows of a slice are drawn as often as they are for the whole."""
    values = np.arange(40.0)
    rows = np.arange(10, 20)
    drawn = resample.bootstrap({"part": (Mean(values[rows]), rows)}, np.ones(40), 60, 3)
    counts = np.concatenate(list(resample.draw(40, 60, 3)))[:, rows]
    assert drawn["part"]["mean"] == pytest.approx((counts * values[rows]).sum(axis=1) / counts.sum(axis=1))


def test_weights_of_one_are_no_weights() -> None:
    """Weights count beside how often a row is drawn; equal ones change nothing."""
    measure = Mean(np.random.default_rng(0).normal(size=30))
    plain = resample.bootstrap({"a": (measure, None)}, np.ones(30), 50, 0)["a"]["mean"]
    equal = resample.bootstrap({"a": (measure, None)}, np.full(30, 7.0), 50, 0)["a"]["mean"]
    other = resample.bootstrap({"a": (measure, None)}, np.arange(30.0), 50, 0)["a"]["mean"]
    assert equal == pytest.approx(plain)
    assert (other != plain).any()


def test_resamples_that_determine_nothing_are_left_out() -> None:
    """NaN is no value of an interval; where it is most of them there is no interval."""
    values = np.array([np.nan, 1.0, 2.0, 3.0])
    assert resample.interval(values, 0.9) == pytest.approx((1.1, 2.9))
    assert resample.interval(np.array([np.nan, np.nan, 1.0]), 0.9) == (None, None)


@pytest.mark.parametrize(
    ("bootstrap", "level", "said"),
    [(39, 0.95, "needs 40"), (100, 0.99, "needs 200"), (1000, 95, "such as 0.95"), (-1, 0.9, "needs 20")],
)
def test_what_makes_no_interval_is_refused(bootstrap: int, level: float, said: str) -> None:
    """Too few resamples for the level, and a level that is no share, say what to type."""
    with pytest.raises(StageError, match=said):
        resample.check_interval(bootstrap, level)
    resample.check_interval(0, 0.95)
    resample.check_interval(40, 0.95)
