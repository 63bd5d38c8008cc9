"""Judge a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import StageError, did_you_mean
from headrace.stages.evaluate.baseline import dummy_answers
from headrace.stages.evaluate.champion import champion_answers
from headrace.stages.evaluate.class_measure import Answers, ClassMeasure
from headrace.stages.evaluate.document import Subject, known_metrics
from headrace.stages.evaluate.fairness import WHERE as FAIRNESS
from headrace.stages.evaluate.fairness import check_fairness, compare_groups
from headrace.stages.evaluate.judge import Question, judge
from headrace.stages.evaluate.slices import cut_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context

POSITIVE = "stages.evaluate.params.positive"


def classification(
    estimator: BaseEstimator,
    features: pd.DataFrame,
    target: pd.Series,
    rows: pd.DataFrame | None = None,
    train_target: pd.Series | None = None,
    champion: BaseEstimator | None = None,
    context: Context | None = None,
    slices: list[Any] | None = None,
    weights: str | None = None,
    bootstrap: int = 1000,
    level: float = 0.95,
    baseline: Literal["prior", "most_frequent", "stratified", "uniform"] = "prior",
    fairness: list[Any] | None = None,
    positive: Any = None,
    max_groups: int = 30,
) -> dict[str, Any]:
    """Measure classes, and probabilities where the estimator gives them, on all rows and by slice.

    Args:
        rows: The test rows as they came from the source, in the order of the features. Slices,
            weights, fairness and the champion read these.
        train_target: The labels that the estimator learned from; the baseline learns from them too.
        champion: A fitted model that takes raw rows, to compare with on the same rows.
        context: Gives the seed of the resamples.
        slices: How to cut the rows, as `cut_rows` says: `[sex, {age: [0, 25, 45]}, [carrier, origin]]`.
        weights: The column that says how much each row counts; None counts each once.
        bootstrap: Resamples behind each interval; 0 for no intervals.
        level: Share of the intervals that cover, as 0.95.
        baseline: The strategy of scikit-learn's `DummyClassifier`.
        fairness: Attributes whose groups are compared, written as slices are.
        positive: Of two classes the one that is looked for; None is the last in sort order.
        max_groups: How many groups of a slice are kept, the largest.

    Returns:
        `metrics`: name to value on all rows. `predictions`: one row a test row, with target, predicted
        and `p_<class>`. `evaluation`: the document that docs/reference/evaluation-json.md describes.

    Raises:
        StageError: Test rows have classes that training never saw, or one class where ranking needs
            two; or an argument names what is not there.
    """
    question = Question(
        rows=rows, slices=slices or [], weights=weights, bootstrap=bootstrap, level=level,
        max_groups=max_groups, context=context,
    )  # fmt: skip
    weight = question.check(len(features))
    answers = _answer(estimator, features, target, positive)
    check_fairness(fairness or [], answers)
    dummy = dummy_answers(answers, train_target, baseline, question.seed)
    theirs, told = champion_answers(champion, rows, answers)
    whole = Subject(
        rows=None,
        candidate=ClassMeasure(answers),
        champion=None if theirs is None else ClassMeasure(theirs),
        baseline=None if dummy is None else ClassMeasure(dummy),
    )
    attributes = cut_rows(rows, fairness or [], FAIRNESS, max_groups)
    judged = judge(question, whole, weight)
    named = answers.classes.tolist()
    document = {
        "task": "multiclass" if answers.positive is None else "binary",
        "rows": len(features),
        "weights": weights,
        "classes": named,
        "positive": None if answers.positive is None else named[answers.positive],
        "level": level,
        "resamples": bootstrap,
        "threshold": getattr(estimator, "threshold_choice_", None),
        "baseline": None if dummy is None else baseline,
        "champion": told,
        **judged,
        "fairness": [compare_groups(answers, weight, attribute) for attribute in attributes],
    }
    metrics = known_metrics(judged["metrics"])
    return {"metrics": metrics, "predictions": _table(answers), "evaluation": document}


def _answer(estimator: Any, features: pd.DataFrame, target: pd.Series, positive: Any) -> Answers:
    """Ask the estimator, and number the classes. Raises `StageError` for classes it never saw."""
    import pandas as pd

    classes = estimator.classes_
    # Not to the width of `classes.dtype`: that would cut a longer label short.
    labels = target.to_numpy(dtype=object).astype(str) if classes.dtype.kind == "U" else target.to_numpy()
    index = pd.Index(classes)
    truth = index.get_indexer(labels)
    if (truth < 0).any():
        unseen = sorted({str(label) for label in labels[truth < 0].tolist()})
        raise StageError(
            f"target {target.name}: test rows have classes training never saw: {', '.join(unseen)}"
        )
    place = _positive(classes, positive)
    chances = estimator.predict_proba(features) if hasattr(estimator, "predict_proba") else None
    if chances is not None and place is not None and len(set(truth.tolist())) < 2:
        raise StageError(f"target {target.name}: test rows have one class; roc_auc needs both")
    predicted = index.get_indexer(estimator.predict(features))
    return Answers(classes=classes, truth=truth, predicted=predicted, chances=chances, positive=place)


def _positive(classes: np.ndarray, wanted: Any) -> int | None:
    """Return the place of the positive class: the one that is named, or the last of two."""
    names = [str(name) for name in classes.tolist()]
    if wanted is not None and len(names) != 2:
        raise StageError(f"{POSITIVE} is {wanted!r} of {len(names)} classes; type {POSITIVE}=null")
    if wanted is not None and str(wanted) not in names:
        hint = did_you_mean(str(wanted), names, f"{POSITIVE}={{}}")
        raise StageError(f"{POSITIVE} is {wanted!r}, which is no class; {hint}")
    if len(names) != 2:
        return None
    return 1 if wanted is None else names.index(str(wanted))


def _table(answers: Answers) -> pd.DataFrame:
    import pandas as pd

    classes, chances = answers.classes, answers.chances
    table = pd.DataFrame({"target": classes[answers.truth], "predicted": classes[answers.predicted]})
    if chances is None:
        return table
    return table.assign(**{f"p_{name}": chances[:, at] for at, name in enumerate(classes)})
