"""One sweep, from its first job to its last: who gets which, what came of it, and what is written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.adapters.sweep_files import SweepFiles
from headrace.core.ports import JobDone, Workers
from headrace.core.sweep import ENDED, SweepRecord, TrialRecord
from headrace.sweeps.sources import Source

ATTEMPTS = 2  # of a job whose worker dies
GRACE_SECONDS = 10.0  # for jobs that are interrupted to write down that they were
SAVE_EVERY_SECONDS = 0.2  # so that hundreds of quick jobs do not write the whole record each
RESULTS = (*ENDED, "interrupted")  # what a job may come to


class SweepDisplay(Protocol):
    """Shows a sweep while it goes on."""

    def trial_started(self, trial: TrialRecord) -> None: ...

    def trial_finished(self, trial: TrialRecord, record: SweepRecord, total: int | None) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What one sweep works with.

    `payload` makes of a trial what its worker gets; `check` raises where the first result shows that
    the sweep cannot come to anything. `seconds` tells how long the sweep has taken so far, which is
    written down with the rest: after a kill a budget of time goes on from there.
    """

    record: SweepRecord
    files: SweepFiles
    source: Source
    workers: Workers
    display: SweepDisplay
    payload: Callable[[TrialRecord], Mapping[str, Any]]
    stop_on_failure: bool
    wait: bool = True  # false: leave when every job is submitted and what has come by then is taken
    check: Callable[[TrialRecord], None]
    seconds: Callable[[], float]


def run_jobs(engine: Engine) -> None:
    """Run what the source hands out until it has no more, and write it down after every job.

    On an interrupt the jobs that run are stopped, and the record says so. Whatever is raised, no
    worker is left.
    """
    loop = _Loop(engine)
    try:
        loop.run()
    except BaseException:
        loop.stop()
        raise
    finally:
        engine.workers.close()
        loop.save()


class _Loop:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[int, TrialRecord] = {}
        self._stopped = False  # no job starts any more
        self._interrupted = False  # and those that run are told to stop
        self._saved = 0.0
        self._unsaved = True

    def run(self) -> None:
        engine = self._engine
        self._hand_out()
        while self._running:
            done = engine.workers.wait(self._patience())
            if done is None and not engine.wait:
                return
            if done is not None:
                trial = self._take(done)
                if trial is not None:
                    engine.check(trial)
                self._hand_out()
            if self._unsaved and time.monotonic() - self._saved >= SAVE_EVERY_SECONDS:
                self.save()

    def _patience(self) -> float | None:
        if not self._engine.wait:
            return 0.0
        return SAVE_EVERY_SECONDS if self._unsaved else None

    def stop(self) -> None:
        """Stop what runs, and take what it still has to say."""
        self._stopped = self._interrupted = True
        try:
            self._engine.workers.interrupt()
            until = time.monotonic() + GRACE_SECONDS
            while self._running and (left := until - time.monotonic()) > 0:
                done = self._engine.workers.wait(left)
                if done is None:
                    break
                self._take(done)
        finally:  # also where somebody interrupts once more
            for trial in self._running.values():
                trial.state, trial.error = "interrupted", "stopped"

    def save(self) -> None:
        self._engine.record.seconds = self._engine.seconds()
        self._engine.files.write(self._engine.record)
        self._saved, self._unsaved = time.monotonic(), False

    def _hand_out(self) -> None:
        engine = self._engine
        while not self._stopped and len(self._running) < engine.workers.size:
            trial = engine.source.next()
            if trial is None:
                return
            trial.state = "running"
            trial.attempts = 0  # what an earlier process tried is no reason to try less
            self._running[trial.number] = trial
            self._submit(trial)

    def _submit(self, trial: TrialRecord) -> None:
        trial.attempts += 1
        self._engine.display.trial_started(trial)
        self._unsaved = True
        trial.flow_run = self._engine.workers.submit(trial.number, self._engine.payload(trial))

    def _take(self, done: JobDone) -> TrialRecord | None:
        """Write down how a job came out; None where it is given to another worker."""
        engine = self._engine
        trial = self._running[done.number]
        again = done.lost and trial.attempts < ATTEMPTS
        if again and not self._stopped:
            engine.display.note(f"the worker of job {trial.number} died; it starts again")
            trial.reports = []
            self._submit(trial)
            return None
        del self._running[done.number]
        self._unsaved = True
        read_result(trial, done, engine.record)
        if done.error is not None and (self._interrupted or again):
            trial.state = "interrupted"
        if trial.state in ENDED:
            engine.source.ended(trial)
        if trial.state == "failed" and engine.stop_on_failure:
            self._stopped = True
        engine.display.trial_finished(trial, engine.record, engine.source.total)
        return trial


def read_result(trial: TrialRecord, done: JobDone, record: SweepRecord) -> None:
    """Write into a trial what its job returned, or why its worker could not."""
    if done.error is not None:
        trial.state = "failed"
        trial.error = (
            f"its worker died, {trial.attempts} times"
            if done.lost
            else f"{type(done.error).__name__}: {done.error}"
        )
        return
    result = done.result
    state = result.get("state") if isinstance(result, Mapping) else None
    if state not in RESULTS:
        trial.state, trial.error = "failed", f"its worker returned what is no result: {result!r:.200}"
        return
    trial.state = "rejected" if result.get("rejected") else state
    trial.run = result.get("run")
    trial.metrics = dict(result.get("metrics") or {})
    trial.seconds = float(result.get("seconds") or 0.0)
    trial.error = result.get("error")
    if trial.state in ("succeeded", "cached", "rejected") and record.scores(trial) is None:
        missing = [name for name in record.objective if name not in trial.metrics]
        trial.state = "failed"
        trial.error = (
            f"it logs no {', '.join(missing)}; it logs: {', '.join(sorted(trial.metrics)) or 'nothing'}"
            if missing
            else "its objective is no number (NaN)"
        )
