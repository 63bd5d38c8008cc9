"""Does anything log the metric that is to say which job is best?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.cached import METRICS
from headrace.core.record import RunRecord
from headrace.core.sweep import TrialRecord
from headrace.errors import ConfigError, did_you_mean
from headrace.job import Job

LOOK_BACK = 20  # runs


def check_objective(job: Job, objective: Iterable[str]) -> None:
    """Raise `ConfigError` where runs whose figures come from the same stage, as it is, log no such metric.

    Where there is no such run, nobody knows yet; the first job that ends will tell.
    """
    known = _known_metrics(job)
    missing = [name for name in objective if known and name not in known]
    if missing:
        raise no_such_metric(missing[0], known)


def check_logged(trials: Iterable[TrialRecord], objective: Iterable[str]) -> None:
    """Raise `ConfigError` where jobs have run through and none logs such a metric: no other would."""
    known = {name for trial in trials for name in trial.metrics}
    missing = [name for name in objective if known and name not in known]
    if missing:
        raise no_such_metric(missing[0], sorted(known))


def no_such_metric(name: str, there: Iterable[str]) -> ConfigError:
    """Return the error for an objective that no run logs."""
    names = list(there)
    hint = did_you_mean(name, names, "sweep.objective={}")
    return ConfigError.one("sweep.objective", f"no run logs '{name}'; they log: {', '.join(names)}", hint)


def _known_metrics(job: Job) -> list[str]:
    maker = job.graph.producer.get(METRICS)
    if maker is None:
        return []
    own = job.planner.make_key(job.experiment.stage(maker), {}).parts
    for seen, record in enumerate(job.records.newest_first()):
        if seen >= LOOK_BACK:
            break
        if record.experiment == job.experiment.name and record.metrics and _same(record, maker, own):
            return sorted(record.metrics)
    return []


def _same(record: RunRecord, stage: str, own: Mapping[str, Any]) -> bool:
    """Tell whether a run's figures come from this very code: an edit may be what logs a new one."""
    parts = next((entry.key_parts for entry in record.stages if entry.name == stage), None)
    return parts is not None and all(parts.get(part) == own[part] for part in ("call", "code", "params"))
