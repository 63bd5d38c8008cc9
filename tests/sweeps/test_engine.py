"""The loop of a sweep, on workers that live in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.sweep_files import SweepFiles
from headrace.core.ports import JobDone, Workers
from headrace.core.sweep import Direction, SweepRecord, TrialRecord
from headrace.sweeps import engine as engine_module
from headrace.sweeps.engine import Engine, run_jobs
from headrace.sweeps.sources import Grid

Play = Callable[[int, int], Any]
"""Takes a job's number and which attempt it is; returns its result, raises, or returns `LOST` or `DEAF`."""

LOST = object()  # the worker dies
DEAF = object()  # the job never ends


class Bench:
    """Workers whose jobs end in the order of their start, as `play` has it.

    A `KeyboardInterrupt` of a play comes out of `wait`, as Ctrl-C would, and the job goes on. Jobs that
    are interrupted return what `stopped` says.
    """

    def __init__(self, size: int, play: Play, stopped: Play | None = None) -> None:
        self.size = size
        self.closed = False
        self.started: list[int] = []
        self.most = 0
        self._play = play
        self._stopped = stopped or (lambda number, attempt: {"state": "interrupted"})
        self._waiting: deque[int] = deque()
        self._running: list[int] = []

    def submit(self, number: int, payload: Mapping[str, Any]) -> None:
        assert payload == {"trial": number}
        self._waiting.append(number)
        self._fill()

    def wait(self, seconds: float | None = None) -> JobDone | None:
        for number in self._running:
            outcome = self._outcome(number)
            if outcome is not DEAF:
                self._running.remove(number)
                self._fill()
                return outcome if isinstance(outcome, JobDone) else JobDone(number=number, result=outcome)
        assert seconds is not None, "this would wait for ever"
        return None

    def interrupt(self) -> None:
        self._waiting.clear()
        self._play = self._stopped

    def close(self) -> None:
        self._waiting.clear()
        self._running.clear()
        self.closed = True

    def _outcome(self, number: int) -> Any:
        try:
            outcome = self._play(number, self.started.count(number))
        except Exception as error:
            return JobDone(number=number, error=error)
        if outcome is LOST:
            return JobDone(number=number, error=RuntimeError("a process died"), lost=True)
        return outcome

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.size:
            self._running.append(self._waiting.popleft())
            self.started.append(self._running[-1])
        self.most = max(self.most, len(self._running))


_IS_WORKERS: type[Workers] = Bench


class Heard:
    """A display that writes down what it is told."""

    def __init__(self) -> None:
        self.finished: list[tuple[int, str]] = []
        self.notes: list[str] = []

    def trial_started(self, trial: TrialRecord) -> None:
        return

    def trial_finished(self, trial: TrialRecord, record: SweepRecord, total: int | None) -> None:
        self.finished.append((trial.number, trial.state))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        return


class Sweep:
    """A sweep of some jobs, and what came of it."""

    def __init__(self, folder: Path, jobs: int, objective: Mapping[str, Direction] | None = None) -> None:
        self.files = SweepFiles(folder / "sweeps")
        self.display = Heard()
        self.record = SweepRecord(
            id="20260101-000000-aaaaaaa", experiment="toy", flow="train", command="c", overrides=[],
            state="running", started="2026-01-01T00:00:00+00:00", seconds=0.0,
            objective=dict(objective or {}),
            trials=[TrialRecord(number=n, overrides=[f"a={n}"], params={"a": str(n)}) for n in range(jobs)],
        )  # fmt: skip

    def run(
        self, bench: Bench, stop: bool = False, check: Callable[[TrialRecord], None] | None = None
    ) -> None:
        run_jobs(
            Engine(
                record=self.record,
                files=self.files,
                source=Grid(self.record, {}),
                workers=bench,
                display=self.display,
                payload=lambda trial: {"trial": trial.number},
                stop_on_failure=stop,
                check=check or (lambda trial: None),
                seconds=lambda: 7.5,
            )
        )

    @property
    def states(self) -> list[str]:
        return [trial.state for trial in self.record.trials]

    @property
    def saved(self) -> SweepRecord:
        return self.files.read(self.record.id)


def fine(number: int, attempt: int) -> Any:
    return {"state": "succeeded", "run": f"run-{number}", "metrics": {"x": number}, "seconds": 1.5}


def test_every_job_runs_once_in_order(tmp_path: Path) -> None:
    """Results are written down as they were returned, and the workers are let go of."""
    sweep, bench = Sweep(tmp_path, 5), Bench(2, fine)
    sweep.run(bench)
    assert bench.started == [0, 1, 2, 3, 4]
    assert sweep.display.finished == [(number, "succeeded") for number in range(5)]
    third = sweep.record.trials[2]
    assert (third.run, third.metrics, third.seconds, third.attempts) == ("run-2", {"x": 2}, 1.5, 1)
    assert sweep.saved == sweep.record
    assert bench.closed


@pytest.mark.parametrize(("size", "jobs", "most"), [(1, 3, 1), (3, 7, 3), (8, 2, 2)])
def test_as_many_at_a_time_as_there_are_workers(tmp_path: Path, size: int, jobs: int, most: int) -> None:
    """All workers have work while there is some, and no job is taken before there is a worker for it."""
    sweep, bench = Sweep(tmp_path, jobs), Bench(size, fine)
    running = 0

    def count(trial: TrialRecord) -> None:
        nonlocal running
        running = max(running, sweep.states.count("running"))

    sweep.run(bench, check=count)
    assert bench.most == most
    assert running < max(size, 2)
    assert sweep.states == ["succeeded"] * jobs


def test_no_job_is_no_work(tmp_path: Path) -> None:
    """A record without jobs that wait is saved as it is."""
    sweep = Sweep(tmp_path, 0)
    sweep.run(Bench(2, fine))
    assert sweep.saved.trials == []


def test_what_has_ended_is_saved_while_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill at any time finds the jobs before in the record."""
    monkeypatch.setattr(engine_module, "SAVE_EVERY_SECONDS", 0.0)
    sweep = Sweep(tmp_path, 4)
    seen: dict[int, list[str]] = {}

    def play(number: int, attempt: int) -> Any:
        if number:
            seen[number] = [trial.state for trial in sweep.saved.trials]
        return fine(number, attempt)

    sweep.run(Bench(1, play))
    assert seen[2] == ["succeeded", "succeeded", "running", "waiting"]
    assert sweep.saved.seconds == 7.5


class TestLost:
    def test_a_job_whose_worker_dies_starts_again(self, tmp_path: Path) -> None:
        """Once, on another worker; what it reported before is forgotten, and its user is told."""
        sweep = Sweep(tmp_path, 3)
        sweep.record.trials[1].reports = [(1, 0.5)]
        bench = Bench(2, lambda n, attempt: LOST if (n, attempt) == (1, 1) else fine(n, attempt))
        sweep.run(bench)
        assert sweep.states == ["succeeded"] * 3
        assert [trial.attempts for trial in sweep.record.trials] == [1, 2, 1]
        assert sweep.record.trials[1].reports == []
        assert sweep.display.notes == ["the worker of job 1 died; it starts again"]

    def test_a_job_that_kills_each_worker_fails(self, tmp_path: Path) -> None:
        """After two it is given up, and the others go on."""
        sweep = Sweep(tmp_path, 3)
        bench = Bench(1, lambda n, attempt: LOST if n == 1 else fine(n, attempt))
        sweep.run(bench)
        assert sweep.states == ["succeeded", "failed", "succeeded"]
        assert sweep.record.trials[1].error == "its worker died, 2 times"
        assert bench.started == [0, 1, 1, 2]

    def test_attempts_of_an_earlier_process_do_not_count(self, tmp_path: Path) -> None:
        """A sweep that goes on gives a job as many as at first."""
        sweep = Sweep(tmp_path, 1)
        sweep.record.trials[0].attempts, sweep.record.trials[0].state = 2, "interrupted"
        sweep.run(Bench(1, lambda n, attempt: LOST if attempt == 1 else fine(n, attempt)))
        assert sweep.states == ["succeeded"]


class TestFailure:
    def test_others_go_on(self, tmp_path: Path) -> None:
        """A job that fails, or whose worker raises, is one that failed, with why."""

        def play(number: int, attempt: int) -> Any:
            if number == 0:
                return {"state": "failed", "error": "stage train failed: no"}
            if number == 1:
                raise ValueError("no such payload")
            return fine(number, attempt)

        sweep = Sweep(tmp_path, 3)
        sweep.run(Bench(1, play))
        assert sweep.states == ["failed", "failed", "succeeded"]
        errors = [trial.error for trial in sweep.record.trials]
        assert errors == ["stage train failed: no", "ValueError: no such payload", None]

    def test_on_failure_stop_starts_no_other(self, tmp_path: Path) -> None:
        """Those that run end; those that wait are left for another day."""
        sweep = Sweep(tmp_path, 5)
        bench = Bench(
            2, lambda n, attempt: {"state": "failed", "error": "no"} if n == 1 else fine(n, attempt)
        )
        sweep.run(bench, stop=True)
        assert sweep.states == ["succeeded", "failed", "succeeded", "waiting", "waiting"]
        assert bench.started == [0, 1, 2]

    def test_what_ends_after_the_stop_is_what_it_is(self, tmp_path: Path) -> None:
        """A job that fails fails; one whose worker died is not tried again, and not given up either."""

        def play(number: int, attempt: int) -> Any:
            if number == 0:
                return {"state": "failed", "error": "no"}
            if number == 1:
                raise ValueError("broken")
            return LOST

        sweep = Sweep(tmp_path, 4)
        sweep.run(Bench(3, play), stop=True)
        assert sweep.states == ["failed", "failed", "interrupted", "waiting"]

    @pytest.mark.parametrize(
        "result", [None, "done", [], {}, {"state": None}, {"state": "waiting"}, {"state": ["failed"]}]
    )
    def test_what_is_no_result_fails_the_job(self, tmp_path: Path, result: Any) -> None:
        """It ends that job and no other, and says what came."""
        sweep = Sweep(tmp_path, 2)
        sweep.run(Bench(1, lambda n, attempt: fine(n, attempt) if n else result))
        assert sweep.states == ["failed", "succeeded"]
        assert "no result" in str(sweep.record.trials[0].error)

    @pytest.mark.parametrize(
        ("metrics", "said"),
        [
            ({"y": 1.0, "z": 2.0}, "it logs no x; it logs: y, z"),
            ({}, "it logs no x; it logs: nothing"),
            ({"x": float("nan")}, "its objective is no number (NaN)"),
        ],
    )
    def test_a_job_without_its_objective_fails(
        self, tmp_path: Path, metrics: dict[str, float], said: str
    ) -> None:
        """It cannot be compared with others; run and metrics are kept."""
        sweep = Sweep(tmp_path, 1, {"x": "maximize"})
        sweep.run(Bench(1, lambda n, attempt: {"state": "succeeded", "run": "r", "metrics": metrics}))
        trial = sweep.record.trials[0]
        assert (trial.state, trial.error, trial.run) == ("failed", said, "r")

    def test_a_no_of_the_gate_is_a_result(self, tmp_path: Path) -> None:
        """The job is rejected, which is no failure."""
        sweep = Sweep(tmp_path, 2, {"x": "maximize"})
        sweep.run(Bench(1, lambda n, attempt: {**fine(n, attempt), "rejected": True}), stop=True)
        assert sweep.states == ["rejected", "rejected"]


class TestInterrupt:
    def test_jobs_that_run_are_stopped(self, tmp_path: Path) -> None:
        """The interrupt comes out; what ended stays, what ran is interrupted, what waited waits."""

        def play(number: int, attempt: int) -> Any:
            if number == 1:
                raise KeyboardInterrupt
            return fine(number, attempt)

        sweep, bench = Sweep(tmp_path, 5), Bench(2, play)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(bench)
        assert sweep.states == ["succeeded", "interrupted", "interrupted", "waiting", "waiting"]
        assert sweep.saved == sweep.record
        assert bench.closed

    @pytest.mark.parametrize("end", [DEAF, LOST, {"state": "interrupted"}], ids=["deaf", "lost", "told"])
    def test_however_they_take_it(self, tmp_path: Path, end: Any) -> None:
        """A job that does not listen, dies or says so is interrupted, and no worker is replaced."""
        sweep = Sweep(tmp_path, 2)
        bench = Bench(2, interrupt_at_once, lambda number, attempt: end)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(bench)
        assert sweep.states == ["interrupted"] * 2
        assert bench.started == [0, 1]

    def test_what_ends_by_itself_meanwhile_counts(self, tmp_path: Path) -> None:
        """A result that comes after the interrupt is kept, and so is a failure."""
        sweep = Sweep(tmp_path, 3)
        ends = [fine(0, 1), {"state": "failed", "error": "no"}, {"state": "interrupted"}]
        with pytest.raises(KeyboardInterrupt):
            sweep.run(Bench(3, interrupt_at_once, lambda number, attempt: ends[number]))
        assert sweep.states == ["succeeded", "failed", "interrupted"]

    def test_twice(self, tmp_path: Path) -> None:
        """Whoever cannot wait interrupts again; no job is left running in the record."""
        sweep, bench = Sweep(tmp_path, 3), Bench(2, interrupt_at_once, interrupt_at_once)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(bench)
        assert sweep.saved.trials[0].state == "interrupted"
        assert sweep.states == ["interrupted", "interrupted", "waiting"]
        assert bench.closed

    def test_a_check_that_says_no_ends_the_sweep(self, tmp_path: Path) -> None:
        """Its error comes out, the job that showed it keeps its result, and no other starts."""
        sweep, bench = Sweep(tmp_path, 4), Bench(2, fine)

        def refuse(trial: TrialRecord) -> None:
            raise ValueError(f"job {trial.number} shows that this comes to nothing")

        with pytest.raises(ValueError, match="job 0 shows"):
            sweep.run(bench, check=refuse)
        assert sweep.states == ["succeeded", "interrupted", "waiting", "waiting"]
        assert bench.closed


def interrupt_at_once(number: int, attempt: int) -> Any:
    raise KeyboardInterrupt
