"""Which params of a sweep decided how good a job is, by Optuna's fANOVA."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.core.sweep import GOOD, SweepRecord, TrialRecord
from headrace.core.sweep_axes import Axis, read_axes

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST_TRIALS = 10  # with fewer, a forest of trees finds mostly chance


@dataclass(frozen=True, slots=True)
class Importance:
    """`shares` by param add up to 1, the largest first; where there are none, `why` says why not.

    `left_out` are params that not every job had, of which nothing can be said beside the others.
    """

    shares: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    why: str = ""


def rank_params(record: SweepRecord, metric: str, seed: int = 0) -> Importance:
    """Return how much of the variance of a metric over the space each param explains alone.

    Functional analysis of variance on a random forest (Hutter, Hoos and Leyton-Brown 2014). Jobs that
    failed or were pruned have no value and are left out. It is about the space that was searched, and
    only as good as the forest fits it: with few jobs read it as a hint.

    Args:
        record: The sweep, of a search or of a grid.
        metric: What the jobs logged.
        seed: Of the forest.
    """
    trials = [t for t in record.trials if t.state in GOOD and t.metrics.get(metric) is not None]
    trials = [trial for trial in trials if trial.metrics[metric] - trial.metrics[metric] == 0]  # finite
    if len(trials) < LEAST_TRIALS:
        return Importance(why=f"{len(trials)} jobs have a result, and it takes {LEAST_TRIALS}")
    if len({trial.metrics[metric] for trial in trials}) == 1:
        return Importance(why=f"{metric} is the same in all {len(trials)} jobs")
    axes = [axis for axis in read_axes(record) if len({axis.values.get(t.number) for t in trials}) > 1]
    whole = [axis for axis in axes if all(trial.number in axis.values for trial in trials)]
    left_out = tuple(axis.name for axis in axes if axis not in whole)
    if not whole:
        return Importance(left_out=left_out, why="no param has several values that every job was given")
    if len(whole) == 1:
        why = f"{whole[0].name} is the only param that every job was given"
        return Importance(shares={whole[0].name: 1.0}, left_out=left_out, why=why)
    return Importance(shares=_ask_optuna(whole, trials, metric, seed), left_out=left_out)


def _ask_optuna(
    axes: Sequence[Axis], trials: Sequence[TrialRecord], metric: str, seed: int
) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    if optuna.logging.get_verbosity() < optuna.logging.WARNING:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {axis.name: _distribution(axis) for axis in axes}
    study = optuna.create_study()
    for trial in trials:
        params: dict[str, Any] = {axis.name: axis.values[trial.number] for axis in axes}
        study.add_trial(create_trial(params=params, distributions=distributions, value=trial.metrics[metric]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is experimental, and of the forest's own
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    return {name: float(share) for name, share in found.items()}


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = list(axis.values.values())
    if not axis.is_number:
        return CategoricalDistribution(sorted({str(value) for value in values}))
    numbers = [float(value) for value in values]
    return FloatDistribution(min(numbers), max(numbers), log=axis.log)
