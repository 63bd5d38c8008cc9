"""Judge a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import StageError, did_you_mean
from headrace.stages.evaluate.baseline import dummy_answers
from headrace.stages.evaluate.class_measure import Answers, ClassMeasure
from headrace.stages.evaluate.document import Subject, known_metrics, measure_subjects
from headrace.stages.evaluate.resample import check_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context

WHERE = "stages.evaluate.params"


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
    baseline: Literal["prior", "stratified", "most_frequent", "uniform"] = "prior",
    fairness: list[Any] | None = None,
    positive: Any = None,
) -> dict[str, Any]:
    """Measure classes, and probabilities where the estimator gives them."""
    import numpy as np
    import pandas as pd

    check_interval(bootstrap, level)
    answers = _answer(estimator, features, target, positive)
    weight = np.ones(len(answers.truth))
    dummy = dummy_answers(answers, train_target, baseline, context.seed if context else 0)
    whole = Subject(
        rows=None,
        candidate=ClassMeasure(answers),
        baseline=None if dummy is None else ClassMeasure(dummy),
    )
    entries = measure_subjects({"": whole}, weight, bootstrap, level, context.seed if context else 0)[""]
    classes = answers.classes
    table = pd.DataFrame({"target": classes[answers.truth], "predicted": classes[answers.predicted]})
    if answers.chances is not None:
        table = table.assign(**{f"p_{name}": answers.chances[:, at] for at, name in enumerate(classes)})
    document = {
        "task": "multiclass" if answers.positive is None else "binary",
        "rows": len(table),
        "weights": weights,
        "classes": classes.tolist(),
        "positive": None if answers.positive is None else classes.tolist()[answers.positive],
        "level": level,
        "resamples": bootstrap,
        "threshold": None,
        "baseline": None if dummy is None else baseline,
        "champion": None,
        "metrics": entries,
        "slices": [],
        "fairness": [],
    }
    return {"metrics": known_metrics(entries), "predictions": table, "evaluation": document}


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
        raise StageError(f"{WHERE}.positive is {wanted!r}, but there are {len(names)} classes; leave it null")
    if wanted is not None and str(wanted) not in names:
        raise StageError(
            f"{WHERE}.positive is {wanted!r}, which is no class; {did_you_mean(str(wanted), names)}"
        )
    if len(names) != 2:
        return None
    return 1 if wanted is None else names.index(str(wanted))
