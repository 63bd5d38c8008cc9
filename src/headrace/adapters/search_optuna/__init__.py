"""Searches a sweep's space with Optuna's samplers and pruners, and says which params decided."""

from headrace.adapters.search_optuna.importance import Importance, rank_params
from headrace.adapters.search_optuna.search import OptunaSearch

__all__ = ["Importance", "OptunaSearch", "rank_params"]
