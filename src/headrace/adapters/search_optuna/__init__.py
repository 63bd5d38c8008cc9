"""Searches a sweep's space with Optuna's samplers and pruners."""

from headrace.adapters.search_optuna.search import OptunaSearch

__all__ = ["OptunaSearch"]
