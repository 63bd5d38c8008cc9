"""Where the jobs of a sweep come from: a grid that is known at the start, or a search."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from headrace.core.plan import State
from headrace.core.ports import ParamValue, Search, TrialEnd
from headrace.core.sweep import ENDED, GOOD, SweepRecord, TrialRecord
from headrace.sweep_plan import PlannedJob, identify

Stages = frozenset[str]


class Source(Protocol):
    """Hands out the trials of a record, each once."""

    total: int | None  # trials in all; None: as many as time allows

    def left(self) -> int | None:
        """Return how many trials are still to start; None: as many as time allows."""

    def next(self) -> TrialRecord | None:
        """Return a trial to start now, or None where there is none any more."""

    def ended(self, trial: TrialRecord) -> None:
        """Take note of how a trial ended."""

    def judge(self, number: int, step: int, score: float) -> bool:
        """Take an interim score and return whether the trial is hopeless. Called from any thread."""


class Grid:
    """Jobs that are all known. One that needs a stage which another is making waits, where others can go on.

    Args:
        record: Its trials that have not ended are handed out.
        planned: The plan of each, by number.
    """

    def __init__(self, record: SweepRecord, planned: Mapping[int, PlannedJob]) -> None:
        self.total: int | None = len(record.trials)
        self._waiting = [trial for trial in record.trials if trial.state not in ENDED]
        self._stages = {number: _to_execute(job) for number, job in planned.items()}
        self._in_work: dict[int, Stages] = {}
        self._made: set[str] = set()

    def left(self) -> int | None:
        return len(self._waiting)

    def next(self) -> TrialRecord | None:
        if not self._waiting:
            return None
        busy = frozenset().union(*self._in_work.values()) - self._made
        free = (t for t in self._waiting if not (self._needs(t) - self._made) & busy)
        trial = next(free, self._waiting[0])
        self._waiting.remove(trial)
        self._in_work[trial.number] = self._needs(trial)
        return trial

    def ended(self, trial: TrialRecord) -> None:
        stages = self._in_work.pop(trial.number, frozenset())
        if trial.state in GOOD:
            self._made |= stages

    def judge(self, number: int, step: int, score: float) -> bool:
        return False

    def _needs(self, trial: TrialRecord) -> Stages:
        return self._stages.get(trial.number, frozenset())


def _to_execute(job: PlannedJob) -> Stages:
    states = {stage.name: stage.state for stage in job.plan.stages}
    return frozenset(one for name, one in identify(job).items() if states[name] is not State.CACHED)


class Trials:
    """What a search asks for, until its budget is used up.

    Args:
        record: Gets the trials; those that have ended are told to the search again.
        search: Is asked and told under one lock.
        words: Gives the overrides of a job with some params.
        n_trials: Trials in all, those of the record included; None: no bound.
        seconds: Start no trial after that; None: no bound.
    """

    def __init__(
        self,
        record: SweepRecord,
        search: Search,
        words: Callable[[Mapping[str, ParamValue]], list[str]],
        n_trials: int | None,
        seconds: float | None,
    ) -> None:
        self.total = n_trials
        self._record = record
        self._search = search
        self._words = words
        self._until = None if seconds is None else time.monotonic() + seconds
        self._lock = threading.Lock()
        self._again = [trial for trial in record.trials if trial.state not in ENDED]
        for trial in record.trials:
            if trial.state in ENDED:
                search.restore(trial.number, trial.memory, *_end(record, trial), trial.reports)
            else:
                search.reopen(trial.number, trial.memory)
                trial.reports = []  # it begins anew

    def left(self) -> int | None:
        if self._time_is_up():
            return 0
        return None if self.total is None else self.total - len(self._record.trials) + len(self._again)

    def next(self) -> TrialRecord | None:
        if self._time_is_up():
            return None
        if self._again:
            return self._again.pop(0)
        if self.total is not None and len(self._record.trials) >= self.total:
            return None
        with self._lock:
            suggestion = self._search.ask()
            if suggestion is None:
                return None
            memory = self._search.memory(suggestion.number)
        params = dict(suggestion.params)
        trial = TrialRecord(
            number=suggestion.number, overrides=self._words(params), params=params, memory=memory
        )
        self._record.trials.append(trial)
        return trial

    def _time_is_up(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def ended(self, trial: TrialRecord) -> None:
        with self._lock:
            self._search.tell(trial.number, *_end(self._record, trial))
            trial.memory = self._search.memory(trial.number)

    def judge(self, number: int, step: int, score: float) -> bool:
        trial = next((trial for trial in self._record.trials if trial.number == number), None)
        if trial is None:
            return False
        with self._lock:
            trial.reports.append((step, score))
            return self._search.report(number, step, score)


def _end(record: SweepRecord, trial: TrialRecord) -> tuple[TrialEnd, Sequence[float]]:
    values = [trial.metrics.get(name) for name in record.objective]
    if trial.state in GOOD and None not in values:
        return "complete", [value for value in values if value is not None]
    return ("pruned" if trial.state == "pruned" else "failed"), []
