"""The record of a sweep, `sweep.json`: the truth about it, from which a killed one goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from headrace.core.record import UnreadableRecord

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
    for a cached job the one whose results these are. `flow_run` is Prefect's, of a job that is a run
    of a deployment.
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
        good = [trial for trial in self.trials if trial.state in GOOD]
        if not self.objective:
            return good
        scored = [(trial, found) for trial in good if (found := self.scores(trial)) is not None]
        return [
            trial
            for trial, _ in sorted(
                scored,
                key=lambda one: (
                    sum(_dominates(other, one[1]) for _, other in scored),
                    [-value for value in one[1]] if len(self.objective) == 1 else [],
                    one[0].number,
                ),
            )
        ]

    def scores(self, trial: TrialRecord) -> list[float] | None:
        """Return the objectives' values, turned so that greater is better; None where one is missing."""
        found = []
        for name, direction in self.objective.items():
            value = trial.metrics.get(name)
            if value is None or value != value:
                return None
            found.append(value if direction == "maximize" else -value)
        return found


def _dominates(left: list[float], right: list[float]) -> bool:
    pairs = list(zip(left, right, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def guess_direction(metric: str) -> Direction:
    """Return which way is better, by the metric's name: up, but for losses."""
    words = metric.lower().replace("-", "_").split("_")
    return "minimize" if any(word in LOSSES for word in words) else "maximize"


def parse_sweep(data: Any) -> SweepRecord:
    """Rebuild a record from JSON. Raises `UnreadableRecord`."""
    try:
        if data["format"] > FORMAT:
            raise UnreadableRecord(f"format {data['format']} is newer than {FORMAT}: update headrace")
        trials = [_parse_trial(item) for item in data["trials"]]
        record = SweepRecord(**{**data, "trials": trials})
    except UnreadableRecord:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableRecord(f"not a sweep record: {error}") from error
    if not all(isinstance(word, str) for word in record.overrides):
        raise UnreadableRecord("not a sweep record: an override is a string")
    return record


def _parse_trial(data: Mapping[str, Any]) -> TrialRecord:
    trial = TrialRecord(**data)
    trial.reports = [(int(step), float(score)) for step, score in trial.reports]
    return trial


def split_shared(jobs: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the overrides that all jobs have, and for each job its others, in their order."""
    shared = set(jobs[0]).intersection(*map(set, jobs)) if jobs else set()
    fixed = [word for word in jobs[0] if word in shared] if jobs else []
    return fixed, [[word for word in job if word not in shared] for job in jobs]


def as_params(overrides: Iterable[str]) -> dict[str, str]:
    """Return what overrides set, as it was written, by key."""
    parts = (override.partition("=") for override in overrides)
    return {key.lstrip("+"): value for key, _, value in parts}
