"""ROC and precision-recall curves: of the positive class, or of each class against the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.rows import plain, thin_line

if TYPE_CHECKING:
    import numpy as np

MOST_POINTS = 480  # of all the lines of a chart together
MOST_LINES = 6


def trace_roc(answers: Answers) -> dict[str, Any]:
    """Trace the true positive rate against the false positive rate over all thresholds.

    The area is that of the whole curve, by trapezoids; `curves` are thinned to be drawn. Of more than
    six classes those with the lowest areas are drawn, and `areas` tells them all.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    def area(truth: np.ndarray, chance: np.ndarray) -> float:
        return float(roc_auc_score(truth, chance))

    def line(truth: np.ndarray, chance: np.ndarray, points: int) -> dict[str, Any]:
        false_rate, true_rate, thresholds = roc_curve(truth, chance)
        kept = thin_line(false_rate, true_rate, points)
        return {
            "false_positive_rate": plain(false_rate[kept]),
            "true_positive_rate": plain(true_rate[kept]),
            "threshold": plain(thresholds[kept]),
        }

    return _trace(answers, "area", area, line)


def trace_precision_recall(answers: Answers) -> dict[str, Any]:
    """Trace precision against recall over all thresholds.

    `average_precision` is the sum of the precisions, each weighted by the rise in recall: no area by
    trapezoids, which would flatter (Davis, Goadrich 2006). `base_rate` is the share of the class,
    which is the precision of guessing.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def area(truth: np.ndarray, chance: np.ndarray) -> float:
        return float(average_precision_score(truth, chance))

    def line(truth: np.ndarray, chance: np.ndarray, points: int) -> dict[str, Any]:
        precision, recall, thresholds = precision_recall_curve(truth, chance, drop_intermediate=True)
        # scikit-learn ends at a precision of 1 that no threshold has; the line goes on as it was.
        precision[-1] = precision[-2]
        kept = thin_line(recall, precision, points)
        return {
            "precision": plain(precision[kept]),
            "recall": plain(recall[kept]),
            "threshold": plain([*thresholds, float("nan")][at] for at in kept),  # none at recall 0
            "base_rate": float(truth.mean()),
        }

    return _trace(answers, "average_precision", area, line)


def _trace(answers: Answers, figure: str, area: Any, line: Any) -> dict[str, Any]:
    """Trace the lines of a chart, in the order of the classes. A class needs rows of its own, and others."""
    if answers.chances is None:
        return {"why": "the estimator gives no probabilities"}
    numbers = range(len(answers.classes)) if answers.positive is None else [answers.positive]
    truths = {number: answers.target == number for number in numbers}
    judged = [number for number in numbers if 0 < truths[number].sum() < len(answers.target)]
    if not judged:
        return {"why": "the test rows have one class"}
    areas = {number: area(truths[number], answers.chance_of(number)) for number in judged}
    drawn = sorted(sorted(judged, key=areas.__getitem__)[:MOST_LINES])
    lines = [
        {
            "class": answers.classes[number],
            figure: areas[number],
            **line(truths[number], answers.chance_of(number), MOST_POINTS // len(drawn)),
        }
        for number in drawn
    ]
    return {
        "areas": {answers.classes[number]: areas[number] for number in judged},
        "mean": sum(areas.values()) / len(areas),
        "curves": lines,
        "not_judged": [answers.classes[number] for number in numbers if number not in judged],
    }
