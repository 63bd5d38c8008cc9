"""Judge a regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headrace.stages.evaluate.baseline import dummy_numbers
from headrace.stages.evaluate.document import Subject, known_metrics, measure_subjects
from headrace.stages.evaluate.number_measure import NumberMeasure
from headrace.stages.evaluate.resample import check_interval

if TYPE_CHECKING:
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
) -> dict[str, Any]:
    """Measure errors in the target's own unit: rmse and mae, and the share of variance explained, r2."""
    import numpy as np
    import pandas as pd

    check_interval(bootstrap, level)
    labels, predicted = target.to_numpy(), estimator.predict(features)
    dummy = dummy_numbers(len(labels), train_target, baseline)
    whole = Subject(
        rows=None,
        candidate=NumberMeasure(labels, predicted),
        baseline=None if dummy is None else NumberMeasure(labels, dummy),
    )
    seed = context.seed if context else 0
    entries = measure_subjects({"": whole}, np.ones(len(labels)), bootstrap, level, seed)[""]
    document = {
        "task": "regression",
        "rows": len(labels),
        "weights": weights,
        "classes": None,
        "positive": None,
        "level": level,
        "resamples": bootstrap,
        "threshold": None,
        "baseline": None if dummy is None else baseline,
        "champion": None,
        "metrics": entries,
        "slices": [],
        "fairness": [],
    }
    table = pd.DataFrame({"target": labels, "predicted": predicted})
    return {"metrics": known_metrics(entries), "predictions": table, "evaluation": document}
