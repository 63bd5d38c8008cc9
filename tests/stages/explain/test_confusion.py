"""The confusion matrix holds against that of scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn import metrics

from headrace.stages.explain.confusion import MOST_CLASSES, count_confusions
from tests.stages.explain.made import many


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    """Counts, and their shares of each true class, agree with `confusion_matrix`."""
    answers = many(10)
    found = count_confusions(answers)
    assert found["counts"] == metrics.confusion_matrix(answers.target, answers.predicted).tolist()
    shares = metrics.confusion_matrix(answers.target, answers.predicted, normalize="true")
    assert np.allclose(found["shares"], shares, atol=1e-6)
    assert (found["wrong"], found["left_out"]) == (int((~answers.right).sum()), 0)


def test_of_very_many_classes_the_most_confused_are_kept() -> None:
    """A matrix too large to look at keeps the classes with the most wrong rows, and says so."""
    answers = many(40)
    found = count_confusions(answers)
    assert (len(found["classes"]), found["left_out"]) == (MOST_CLASSES, 10)
    wrong = dict.fromkeys(answers.classes, 0)
    for true, predicted in zip(answers.target, answers.predicted, strict=True):
        if true != predicted:
            wrong[answers.classes[true]] += 1
            wrong[answers.classes[predicted]] += 1
    left_out = [wrong[name] for name in answers.classes if name not in found["classes"]]
    assert min(wrong[name] for name in found["classes"]) >= max(left_out)
