"""How the answer changes with one column, the others left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.rows import plain
from headrace.stages.explain.subject import Subject

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

STEPS = 12
MOST_CATEGORIES = 10


def trace_dependence(subject: Subject, answers: Answers, name: str) -> dict[str, Any]:
    """Put each value of a grid into a column of every row, and average the answers (Friedman 2001).

    The grid of numbers goes from the 5 % to the 95 % quantile; that of categories holds the ten most
    frequent. Where columns go together, it asks about rows that do not occur.

    Returns:
        `kind` (number or category), `values`, and `lines`: for each class its mean probability, of the
        positive one alone where there are two; without probabilities the mean decision value; of a
        regression the mean prediction. `of` says which.
    """
    from sklearn.inspection import partial_dependence

    column = subject.table[name]
    kind, grid = _grid(column)
    if len(grid) < 2:
        return {"name": name, "why": "it has one value"}
    if answers.classes and not _ranks(subject):
        return {"name": name, "why": "the estimator gives neither probabilities nor decision values"}
    table = subject.table
    if kind == "number":
        # scikit-learn refuses whole numbers: a grid between them would be cut off.
        table = table.astype({name: float})
    found = partial_dependence(
        subject.model, table, [name], custom_values={name: grid}, method="brute", kind="average"
    )["average"]
    values = plain(grid) if kind == "number" else [str(value) for value in grid]
    return {
        "name": name,
        "kind": kind,
        "of": _response(subject, answers),
        "values": values,
        "lines": _lines(found, subject, answers),
    }


def _ranks(subject: Subject) -> bool:
    return hasattr(subject.model, "predict_proba") or hasattr(subject.model, "decision_function")


def _response(subject: Subject, answers: Answers) -> str:
    if answers.task == "regression":
        return "prediction"
    return "probability" if hasattr(subject.model, "predict_proba") else "decision value"


def _lines(found: np.ndarray, subject: Subject, answers: Answers) -> dict[str, list[Any]]:
    if answers.task == "regression":
        return {answers.target_name: plain(found[0])}
    if answers.positive is None:
        return {each: plain(line) for each, line in zip(answers.classes, found, strict=True)}
    line = found[0]  # scikit-learn's is that of the second class
    if answers.positive == 0:
        line = 1 - line if _response(subject, answers) == "probability" else -line
    return {answers.classes[answers.positive]: plain(line)}


def _grid(column: pd.Series) -> tuple[str, np.ndarray]:
    import numpy as np
    from pandas.api import types

    present = column.dropna()
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        numbers = present.to_numpy(dtype=float)
        values = np.unique(numbers)
        if len(values) > STEPS:
            low, high = np.quantile(numbers, [0.05, 0.95])
            values = np.linspace(low, high, STEPS) if low < high else values[[0, -1]]
        return "number", values
    counts = present.value_counts()
    kept = counts[counts > 0].index[:MOST_CATEGORIES]
    return "category", np.array(sorted(kept, key=str), dtype=object)
