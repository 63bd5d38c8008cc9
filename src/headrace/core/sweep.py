"""The record of a sweep, `sweep.json`: the truth about it, from which a killed one goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from headrace.core.record import UnreadableRecord, check_started, check_types, declared_types

FORMAT = 1

SweepState = Literal["running", "succeeded", "failed", "interrupted"]
TrialState = Literal[
    "waiting", "running", "succeeded", "cached", "rejected", "pruned", "failed", "interrupted"
]
Direction = Literal["maximize", "minimize"]
Publish = Literal["none", "best", "all"]

GOOD: tuple[TrialState, ...] = ("succeeded", "cached", "rejected")
"""States with results: a gate that says no judges a model, which is there all the same."""
ENDED: tuple[TrialState, ...] = (*GOOD, "pruned", "failed")

# Metrics of which everybody knows which way is better.
LOSSES = ("loss", "error", "mae", "mse", "rmse", "mape", "brier", "deviance", "seconds", "regret")


@dataclass(slots=True, kw_only=True)
class TrialRecord:
    """One job of a sweep. `overrides` are those that not every job has, `params` what they set.

    `reports` are interim scores by step, `memory` is the search's own, `run` the run that did it, or
    for a cached job the one whose results these are. `attempts` counts from when the sweep last went on,
    `flow_run` is Prefect's, of a job that is a run of a deployment.
    """

    number: int
    overrides: list[str]
    params: dict[str, Any]
    state: TrialState = "waiting"
    run: str | None = None
    flow_run: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    attempts: int = 0
    error: str | None = None
    reports: list[tuple[int, float]] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRef:
    """What a run knows of the sweep that it is a job of. `params` are what sets it apart from others."""

    id: str
    trial: int
    params: Mapping[str, Any]
    flow_run_id: str | None = None  # Prefect's, of the sweep

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "trial": self.trial, "overrides": dict(self.params)}


@dataclass(slots=True, kw_only=True)
class SweepRecord:
    """`overrides` are those of the command, `fixed` those that every job has; both without secrets.

    `objective` says by metric which way is better. The folder `conf` beside the record holds the
    config that the sweep began with.
    """

    id: str
    experiment: str
    flow: str
    command: str
    overrides: list[str]
    state: SweepState
    started: str
    seconds: float
    objective: dict[str, Direction]
    fixed: list[str] = field(default_factory=list)
    trials: list[TrialRecord] = field(default_factory=list)
    published: dict[str, Any] | None = None
    prefect: dict[str, Any] = field(default_factory=dict)
    resume: str = ""
    error: str | None = None
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def ranked(self) -> list[TrialRecord]:
        """Return the trials with results, the best first; with several objectives the front first.

        Several objectives rank by how many trials dominate one (Fonseca and Fleming 1993), equal
        ones by number, and so do trials of a sweep without an objective.
        """
        if not self.objective:
            return [trial for trial in self.trials if trial.state in GOOD]
        if len(self.objective) == 1:
            return [t for t, _ in sorted(self._scored(), key=lambda one: (-one[1][0], one[0].number))]
        return [t for t, _ in sorted(self._dominated(), key=lambda one: (one[1], one[0].number))]

    def front(self) -> list[TrialRecord]:
        """Return the trials that no other dominates: none is as good in all objectives and better in one."""
        return [trial for trial, dominating in self._dominated() if not dominating]

    def _dominated(self) -> list[tuple[TrialRecord, int]]:
        """Return the trials with a score, and by how many others each is dominated."""
        scored = self._scored()
        return [(trial, sum(_dominates(other, found) for _, other in scored)) for trial, found in scored]

    def _scored(self) -> list[tuple[TrialRecord, list[float]]]:
        good = [trial for trial in self.trials if trial.state in GOOD]
        return [(trial, found) for trial in good if (found := self.scores(trial)) is not None]

    def scores(self, trial: TrialRecord) -> list[float] | None:
        """Return the objectives' values, turned so that greater is better; None where one is missing."""
        found = []
        for name, direction in self.objective.items():
            value = trial.metrics.get(name)
            if value is None or value != value:
                return None
            found.append(value if direction == "maximize" else -value)
        return found


def cut_off(record: SweepRecord) -> SweepRecord:
    """Return the record of a sweep whose process is gone: what ran in it is interrupted."""
    trials = [replace(t, state="interrupted") if t.state == "running" else t for t in record.trials]
    return replace(record, trials=trials)


def _dominates(left: list[float], right: list[float]) -> bool:
    pairs = list(zip(left, right, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def guess_direction(metric: str) -> Direction:
    """Return which way is better, by the metric's name: up, but for losses."""
    words = metric.lower().replace("-", "_").split("_")
    return "minimize" if any(word in LOSSES for word in words) else "maximize"


def parse_sweep(data: Any) -> SweepRecord:
    """Rebuild a record from JSON; its fields have the types that they are declared with.

    Raises `UnreadableRecord`.
    """
    try:
        if data["format"] > FORMAT:
            raise UnreadableRecord(f"format {data['format']} is newer than {FORMAT}: update headrace")
        trials = [TrialRecord(**item) for item in data["trials"]]
        record = SweepRecord(**{**data, "trials": trials})
    except UnreadableRecord:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecord(f"not a sweep record: {error}") from error
    check_types(record, _SWEEP_TYPES)
    _check_sweep(record)
    for trial in trials:
        check_types(trial, _TRIAL_TYPES, "trials.")
        _check_trial(trial)
    if len({trial.number for trial in trials}) < len(trials):
        raise UnreadableRecord("trials: two of them have the same number")
    return record


_SWEEP_TYPES = declared_types(SweepRecord)
_TRIAL_TYPES = declared_types(TrialRecord)


def _check_sweep(record: SweepRecord) -> None:
    check_started(record.started)
    _check_words(record.overrides, "overrides")
    _check_words(record.fixed, "fixed")
    if record.state not in get_args(SweepState):
        raise UnreadableRecord(f"state: there is no '{record.state}'")
    for metric, direction in record.objective.items():
        if direction not in get_args(Direction):
            raise UnreadableRecord(f"objective.{metric}: {direction!r} is no direction")


def _check_trial(trial: TrialRecord) -> None:
    where = f"trials.{trial.number}"
    _check_words(trial.overrides, f"{where}.overrides")
    if trial.state not in get_args(TrialState):
        raise UnreadableRecord(f"{where}.state: there is no '{trial.state}'")
    try:
        trial.metrics = {name: _as_float(value) for name, value in trial.metrics.items()}
        trial.reports = [(int(step), _as_float(score)) for step, score in trial.reports]
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableRecord(f"{where}: metrics or reports hold what is no number: {error}") from error


def _check_words(words: Sequence[object], where: str) -> None:
    if not all(isinstance(word, str) for word in words):
        raise UnreadableRecord(f"{where}: an override is a string")


def _as_float(value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"{value!r}")


def split_shared(jobs: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the overrides that all jobs have, and for each job its others, in their order."""
    shared = set(jobs[0]).intersection(*map(set, jobs)) if jobs else set()
    fixed = [word for word in jobs[0] if word in shared] if jobs else []
    return fixed, [[word for word in job if word not in shared] for job in jobs]


def as_params(overrides: Iterable[str]) -> dict[str, str]:
    """Return what overrides set, as it was written, by key."""
    parts = (override.partition("=") for override in overrides)
    return {key.lstrip("+"): value for key, _, value in parts}
