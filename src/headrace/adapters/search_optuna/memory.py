"""What a rebuilt study needs of a trial, as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

# CMA-ES keeps itself under such keys, pickled, and unpickles what it finds there.
_PICKLES = "optimizer"


def write_memory(trial: FrozenTrial, study_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params as Optuna's numbers: of a choice the index.

    `study_attrs` are those of the study that this trial's asking changed.
    """
    from optuna.distributions import distribution_to_json

    return {
        "params": {
            name: distribution.to_internal_repr(trial.params[name])
            for name, distribution in trial.distributions.items()
        },
        "distributions": {
            name: distribution_to_json(distribution) for name, distribution in trial.distributions.items()
        },
        "attrs": _plain(trial.system_attrs),
        "study": _plain(study_attrs),
    }


def read_memory(
    memory: Mapping[str, Any],
    state: TrialState,
    values: Sequence[float],
    scores: Mapping[int, float],
) -> FrozenTrial:
    """Rebuild a trial."""
    from optuna.distributions import json_to_distribution
    from optuna.trial import create_trial

    distributions = {
        name: json_to_distribution(text) for name, text in memory.get("distributions", {}).items()
    }
    params = memory.get("params", {})
    return create_trial(
        state=state,
        values=list(values) or None,
        params={name: one.to_external_repr(params[name]) for name, one in distributions.items()},
        distributions=distributions,
        system_attrs=_plain(memory.get("attrs", {})),
        intermediate_values=dict(scores),
    )


def study_attrs(memory: Mapping[str, Any]) -> dict[str, Any]:
    """Return the study's attributes that a trial's memory brings."""
    return _plain(memory.get("study", {}))


def merge_attrs(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new attributes, of which counters never go back."""
    return {
        key: max(value, known.get(key, value)) if isinstance(value, int) else value
        for key, value in new.items()
    }


def _plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is no JSON, and everything that might be a pickle."""
    return {
        key: value
        for key, value in attrs.items()
        if _PICKLES not in key and not isinstance(value, str) and _is_json(value)
    }


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(child) for key, child in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)
