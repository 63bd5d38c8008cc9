"""What a classifier or a regressor said, read from the table of its predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from headrace.errors import StageError
from headrace.stages.explain.answers import read_answers


def classifier(labels: list[object]) -> DummyClassifier:
    return DummyClassifier().fit(np.zeros((len(labels), 1)), labels)


@pytest.mark.parametrize(
    ("labels", "names"),
    [(["b", "a"], ("a", "b")), ([False, True], ("False", "True")), ([7, 3], ("3", "7"))],
)
def test_labels_of_any_kind_become_numbers(labels: list[object], names: tuple[str, ...]) -> None:
    """Text, truth values and whole numbers are told as text, in the estimator's order."""
    table = pd.DataFrame({"target": labels, "predicted": labels})
    for name in names:
        table[f"p_{name}"] = 0.5
    answers = read_answers(classifier(labels), table, "y")
    assert (answers.task, answers.classes, answers.positive) == ("binary", names, 1)
    assert [answers.classes[at] for at in answers.target] == [str(label) for label in labels]
    assert answers.right.all()


def test_categories_are_labels() -> None:
    """A categorical target is read by its values, not by the codes of its categories."""
    target = pd.Categorical(["b", "c"], categories=["c", "b", "a"])
    table = pd.DataFrame({"target": target, "predicted": ["b", "b"]})
    answers = read_answers(classifier(["a", "b", "c"]), table, "y")
    assert answers.target.tolist() == [1, 2]
    assert (answers.task, answers.positive, answers.chances) == ("multiclass", None, None)


def test_the_positive_class_is_declared() -> None:
    """The class that counts as positive is the declared one, and must be one of the two."""
    table = pd.DataFrame({"target": ["a"], "predicted": ["b"], "p_a": [0.25], "p_b": [0.75]})
    answers = read_answers(classifier(["a", "b"]), table, "y", "a")
    assert (answers.positive, answers.chance_of(0).tolist()) == (0, [0.25])
    with pytest.raises(StageError, match=r"'c', is none of a, b"):
        read_answers(classifier(["a", "b"]), table, "y", "c")


def test_a_label_that_training_never_saw_is_named() -> None:
    """A test label that is no class of the estimator is an error that names it."""
    table = pd.DataFrame({"target": ["new"], "predicted": ["a"]})
    with pytest.raises(StageError, match=r"column target .* unknown classes: new"):
        read_answers(classifier(["a", "b"]), table, "y")


def test_a_regression_has_no_classes() -> None:
    """Targets and predictions of a regressor are numbers."""
    table = pd.DataFrame({"target": [1, 2], "predicted": [1.5, 2.5]})
    answers = read_answers(LinearRegression(), table, "y")
    assert (answers.task, answers.classes) == ("regression", ())
    assert (answers.target - answers.predicted).tolist() == [-0.5, -0.5]
