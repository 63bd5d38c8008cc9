"""Differences between groups, against fairlearn on the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fair

from headrace.errors import StageError
from headrace.stages.evaluate.class_measure import Answers
from headrace.stages.evaluate.fairness import check_fairness, compare_groups
from headrace.stages.evaluate.slices import cut_rows


def make(truth: Any, predicted: Any, n_classes: int = 2) -> Answers:
    return Answers(
        classes=np.arange(n_classes),
        truth=np.asarray(truth),
        predicted=np.asarray(predicted),
        chances=None,
        positive=1 if n_classes == 2 else None,
    )


def compare(answers: Answers, weights: np.ndarray, groups: list[str]) -> dict[str, Any]:
    (attribute,) = cut_rows(pd.DataFrame({"g": groups}), ["g"], "fairness", 30)
    return compare_groups(answers, weights, attribute)


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_and_differences_are_those_of_fairlearn(weighted: bool) -> None:
    """Each figure is what fairlearn's function of that name gives on the rows, with their weights."""
    rng = np.random.default_rng(4)
    truth, predicted = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    groups = rng.choice(["x", "y", "z"], 400)
    weights = rng.gamma(1.0, size=400) if weighted else np.ones(400)
    found = compare(make(truth, predicted), weights, groups.tolist())
    for name, value in found["differences"].items():
        wanted = getattr(fair, name)(truth, predicted, sensitive_features=groups, sample_weight=weights)
        assert value == pytest.approx(wanted), name
    for group in found["groups"]:
        rows = groups == group["name"].removeprefix("g=")
        assert group["rows"] == rows.sum()
        for rate in ("selection_rate", "true_positive_rate", "false_positive_rate", "false_negative_rate"):
            wanted = getattr(fair, rate)(truth[rows], predicted[rows], sample_weight=weights[rows])
            assert group[rate] == pytest.approx(wanted), rate


def test_the_positive_class_can_be_the_first() -> None:
    """Rates are of the class that is looked for, wherever it is in sort order."""
    answers = Answers(
        classes=np.array(["bad", "good"]),
        truth=np.zeros(20, int),
        predicted=np.repeat([0, 1], 10),
        chances=None,
        positive=0,
    )
    found = compare(answers, np.ones(20), ["x"] * 10 + ["y"] * 10)
    assert [group["selection_rate"] for group in found["groups"]] == [1, 0]
    assert found["differences"]["equal_opportunity_difference"] == 1


def test_a_small_group_is_shown_and_not_compared() -> None:
    """One row more or less decides its rates, so they say nothing of how groups are treated."""
    truth = [0, 1] * 20 + [1]
    found = compare(make(truth, [*truth[:-1], 0]), np.ones(41), ["x", "x", "y", "y"] * 10 + ["z"])
    assert [group["compared"] for group in found["groups"]] == [True, True, False]
    assert found["groups"][2]["true_positive_rate"] == 0
    assert found["differences"]["equalized_odds_difference"] == 0


def test_a_rate_of_no_rows_is_none() -> None:
    """A group without a positive row has no true positive rate, and is not compared by it."""
    truth = [0, 1] * 10 + [0] * 10 + [0, 1] * 10
    predicted = truth[:]
    found = compare(make(truth, predicted), np.ones(50), ["x"] * 20 + ["y"] * 10 + ["z"] * 20)
    assert found["groups"][1]["true_positive_rate"] is None
    assert found["groups"][1]["selection_rate"] == 0
    assert found["differences"]["equal_opportunity_difference"] == 0
    assert found["differences"]["demographic_parity_difference"] == 0.5


def test_one_group_has_no_differences() -> None:
    """There is nothing to compare it with, nor rows that weigh nothing."""
    found = compare(make([0, 1] * 10, [1] * 20), np.ones(20), ["x"] * 20)
    assert set(found["differences"].values()) == {None}
    light = compare(make([0, 1] * 20, [1] * 40), np.repeat([1.0, 0.0], 20), ["x"] * 20 + ["y"] * 20)
    assert light["groups"][1]["selection_rate"] is None


def test_more_classes_are_refused() -> None:
    """Fairness of three classes is an error that offers slices."""
    with pytest.raises(StageError, match="needs two classes; here there are 3"):
        check_fairness(["sex"], make([0, 1], [0, 1], 3))
    check_fairness([], make([0, 1], [0, 1], 3))
