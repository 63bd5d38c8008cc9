"""Judge a regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import StageError
from headrace.stages.evaluate.baseline import dummy_numbers
from headrace.stages.evaluate.champion import champion_numbers
from headrace.stages.evaluate.document import Subject, known_metrics
from headrace.stages.evaluate.judge import Question, judge
from headrace.stages.evaluate.number_measure import NumberMeasure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context


def regression(
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
    baseline: Literal["mean", "median"] = "mean",
    max_groups: int = 30,
) -> dict[str, Any]:
    """Measure errors in the target's own unit, and the share of variance explained, r2.

    The baseline is the strategy of scikit-learn's `DummyRegressor`; all other arguments, and what is
    returned, are as in `classification`.
    """
    import pandas as pd

    question = Question(
        rows=rows, slices=slices or [], weights=weights, bootstrap=bootstrap, level=level,
        max_groups=max_groups, context=context,
    )  # fmt: skip
    weight = question.check(len(features))
    labels, predicted = target.to_numpy(), estimator.predict(features)
    truth = _finite(labels, f"target {target.name}")
    dummy = dummy_numbers(len(truth), train_target, baseline)
    theirs, told = champion_numbers(champion, rows, len(truth))
    whole = Subject(
        rows=None,
        candidate=NumberMeasure(truth, _finite(predicted, "the estimator's predictions")),
        champion=None if theirs is None else NumberMeasure(truth, theirs),
        baseline=None if dummy is None else NumberMeasure(truth, dummy),
    )
    judged = judge(question, whole, weight)
    document = {
        "task": "regression",
        "rows": len(features),
        "weights": weights,
        "classes": None,
        "positive": None,
        "level": level,
        "resamples": bootstrap,
        "threshold": None,
        "baseline": None if dummy is None else baseline,
        "champion": told,
        **judged,
        "fairness": [],
    }
    table = pd.DataFrame({"target": labels, "predicted": predicted})
    return {"metrics": known_metrics(judged["metrics"]), "predictions": table, "evaluation": document}


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    """Return numbers as floats. Raises `StageError` for what is no number, missing or infinite."""
    import numpy as np

    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise StageError(
            f"{what} is no number ({error}); for classes type stages/evaluate=classification"
        ) from error
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise StageError(
            f"{what}: {int(bad.sum()):,} of {len(numbers):,} values are missing or infinite (first in test"
            f" row {int(bad.argmax())}); let the schema reject such rows"
        )
    return numbers
