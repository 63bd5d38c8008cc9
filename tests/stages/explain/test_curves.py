"""ROC and precision-recall curves hold against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.calibration import measure_calibration
from headrace.stages.explain.curves import MOST_LINES, MOST_POINTS, trace_precision_recall, trace_roc
from headrace.stages.explain.rows import plain
from tests.stages.explain.made import binary, many, one_class, silent


@pytest.mark.parametrize("positive", [0, 1])
def test_areas_are_those_of_scikit_learn(positive: int) -> None:
    """Areas are measured before the lines are thinned, for the declared positive class."""
    answers = binary(positive=positive)
    truth, chance = answers.target == positive, answers.chance_of(positive)
    roc, pr = trace_roc(answers), trace_precision_recall(answers)
    assert roc["mean"] == roc["curves"][0]["area"] == metrics.roc_auc_score(truth, chance)
    assert pr["curves"][0]["average_precision"] == metrics.average_precision_score(truth, chance)
    assert pr["curves"][0]["base_rate"] == truth.mean()
    assert roc["curves"][0]["class"] == answers.classes[positive]


def test_a_thinned_curve_keeps_its_shape() -> None:
    """The line that is drawn has few points, both its ends, and nearly the area of the whole."""
    answers = binary(60_000)
    curve = trace_roc(answers)["curves"][0]
    x, y = curve["false_positive_rate"], curve["true_positive_rate"]
    assert len(x) <= MOST_POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert metrics.auc(x, y) == pytest.approx(curve["area"], abs=1e-4)


def test_precision_and_recall_are_those_of_their_threshold() -> None:
    """Each point holds precision and recall of deciding at its threshold."""
    answers = binary(300)
    curve = trace_precision_recall(answers)["curves"][0]
    chance = answers.chance_of(1)
    for at in range(0, len(curve["recall"]) - 1, 7):
        decided = plain(chance) >= np.float64(curve["threshold"][at])
        assert curve["recall"][at] == pytest.approx(metrics.recall_score(answers.target, decided), abs=1e-5)
        precision = metrics.precision_score(answers.target, decided)
        assert curve["precision"][at] == pytest.approx(precision, abs=1e-5)


def test_of_many_classes_the_worst_are_drawn() -> None:
    """Every class has its area, those with the lowest areas a line, all lines together few points."""
    answers = many(26)
    for found, name in ((trace_roc(answers), "area"), (trace_precision_recall(answers), "average_precision")):
        assert len(found["areas"]) == 26
        lowest = sorted(found["areas"].values())[:MOST_LINES]
        assert sorted(curve[name] for curve in found["curves"]) == lowest
        assert sum(len(curve["threshold"]) for curve in found["curves"]) <= MOST_POINTS
    one = metrics.roc_auc_score(answers.target, answers.chances, multi_class="ovr")
    assert trace_roc(answers)["mean"] == pytest.approx(one)


def test_a_class_without_test_rows_has_no_curve() -> None:
    """A class that no test row has is named, and leaves the others their curves."""
    answers = many(4)
    kept = answers.target != 2
    fewer = Answers(
        task="multiclass",
        target_name="y",
        target=answers.target[kept],
        predicted=answers.predicted[kept],
        classes=answers.classes,
        chances=None if answers.chances is None else answers.chances[kept],
    )
    found = trace_roc(fewer)
    assert found["not_judged"] == ["c02"]
    assert set(found["areas"]) == {"c00", "c01", "c03"}


@pytest.mark.parametrize("measure", [trace_roc, trace_precision_recall])
def test_one_class_has_no_curve(measure: object) -> None:
    """Where all test rows are of one class, the reason stands in place of the curve."""
    assert callable(measure)
    assert measure(one_class()) == {"why": "the test rows have one class"}


@pytest.mark.parametrize("measure", [trace_roc, trace_precision_recall, measure_calibration])
def test_without_probabilities_the_reason_is_told(measure: object) -> None:
    """An estimator without probabilities has a confusion matrix, and reasons in place of the rest."""
    assert callable(measure)
    assert measure(silent()) == {"why": "the estimator gives no probabilities"}
