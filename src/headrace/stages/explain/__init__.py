"""Explain a fitted estimator: how it errs, what it goes by, and whether more rows would help."""

from headrace.stages.explain.explain import explain_model, explain_nothing

__all__ = ["explain_model", "explain_nothing"]
