"""A classifier that decides by a threshold, around one that is no scikit-learn object."""

from __future__ import annotations

import json
from typing import Any

from headrace.errors import StageError

CLASS = "sklearn.model_selection._classification_threshold.FixedThresholdClassifier"
CHOICE = "threshold_choice_"  # how the threshold was chosen: `stages.threshold` sets it
_PARAMS = ("threshold", "pos_label", "response_method")


def describe(value: Any) -> dict[str, Any]:
    """Return the manifest's part: what decides, and how it was chosen. Raises `StageError`."""
    part = {name: getattr(value, name) for name in _PARAMS} | {"choice": getattr(value, CHOICE, None)}
    try:
        json.dumps(part, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StageError(
            f"a FixedThresholdClassifier with {part} cannot be stored, since JSON cannot say it: {error}\n"
            "      Use a number for the threshold, and text, a number or a truth value for pos_label."
        ) from error
    return part


def wrap(inner: Any, part: dict[str, Any]) -> Any:
    """Return a fitted FixedThresholdClassifier around a fitted classifier; nothing is fitted."""
    from sklearn.base import clone
    from sklearn.model_selection import FixedThresholdClassifier

    value = FixedThresholdClassifier(clone(inner), **{name: part[name] for name in _PARAMS})
    value.estimator_ = inner
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(inner, name):
            setattr(value, name, getattr(inner, name))
    if part["choice"] is not None:
        setattr(value, CHOICE, part["choice"])
    return value
