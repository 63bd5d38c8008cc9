"""Pipelines that answer the same with less work for each call: no pandas tables between their steps."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import Any

log = logging.getLogger(__name__)

CLOSE = 1e-12
_NAMES = "feature_names_in_"
_INSIDE = ("_preprocessor", "estimator_")  # of boosting with categories, and of a decision threshold


def make_lean(estimator: Any, rows: Any) -> Any:
    """Return a pipeline that passes arrays on where a fitted scikit-learn pipeline passes tables on.

    Tables between steps cost a third to a half of a call with one row. What steps learned is not copied
    but where it is small. The answers are those of the pipeline itself but for the rounding of sums (a
    matrix that lies otherwise in memory is added up in another order); it is returned where they are
    others, or where a step wants names of columns.

    Args:
        estimator: A fitted pipeline; it is left as it is.
        rows: Some raw rows, on which both must answer alike: labels equal, numbers within 1e-12.
    """
    steps = getattr(estimator, "steps", None)
    if not steps or not all(_is_of_scikit_learn(step) for _, step in steps):
        return estimator
    try:
        lean = copy.copy(estimator)
        lean.steps = [[name, _without_tables(step)] for name, step in steps[:-1]]
        lean.steps.append([steps[-1][0], _without_names(steps[-1][1])])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return lean if _same(estimator, lean, rows) else estimator
    except Exception as error:  # a step may be anything
        log.info("the pipeline stays as it is: %s: %s", type(error).__name__, str(error)[:200])
        return estimator


def _is_of_scikit_learn(step: Any) -> bool:
    return isinstance(step, str) or type(step).__module__.partition(".")[0] == "sklearn"


def _without_tables(step: Any) -> Any:
    if isinstance(step, str):
        return step
    found = copy.deepcopy(step)
    if hasattr(found, "set_output"):
        found.set_output(transform="default")
    for _, inner, _ in getattr(found, "transformers_", ()):
        if hasattr(inner, "steps"):  # the first of them gets a part of the table, the others arrays
            inner.steps[1:] = [[name, _without_names(one)] for name, one in inner.steps[1:]]
    return found


def _without_names(step: Any) -> Any:
    """Return an estimator that takes arrays without a warning: it is not told what its columns are called."""
    if isinstance(step, str) or step is None:
        return step
    found = copy.copy(step)
    vars(found).pop(_NAMES, None)
    for name in _INSIDE:
        inner = getattr(found, name, None)
        if inner is not None:
            setattr(found, name, _without_names(inner))
    if hasattr(found, "transformers_"):
        found.transformers_ = [(name, _without_names(one), at) for name, one, at in found.transformers_]
    if type(found).__name__ == "Pipeline":
        found.steps = [[name, _without_names(one)] for name, one in found.steps]
    return found


def _same(one: Any, other: Any, rows: Any) -> bool:
    import numpy as np

    for name in ("predict", "predict_proba"):
        if hasattr(one, name):
            wanted, found = (np.asarray(getattr(model, name)(rows)) for model in (one, other))
            numbers = wanted.dtype.kind == "f"
            if not (
                np.allclose(wanted, found, rtol=CLOSE, atol=CLOSE) if numbers else (wanted == found).all()
            ):
                return False
    return True
