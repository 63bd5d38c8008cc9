"""Judge a fitted estimator on rows that it has not seen: metrics, intervals, slices, fairness."""

from __future__ import annotations

from headrace.stages.evaluate.classifier import classification
from headrace.stages.evaluate.regressor import regression

__all__ = ["classification", "regression"]
