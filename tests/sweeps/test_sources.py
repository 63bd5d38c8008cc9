"""In which order the jobs of a grid are handed out, and the trials of a search."""

from __future__ import annotations

import json

import pytest
from optuna.pruners import ThresholdPruner
from optuna.samplers import RandomSampler

from headrace.adapters.search_optuna import OptunaSearch
from headrace.config.sweep import split_sweep
from headrace.core.space import Interval, Space
from headrace.core.sweep import SweepRecord, TrialRecord, TrialState, parse_sweep
from headrace.sweep_plan import plan_jobs
from headrace.sweeps.sources import Grid, Trials
from tests.toy import Toy, toy

__all__ = ["toy"]

BASE = ["+experiment=toy", "pipeline=bare"]


def grid(*swept: str, states: dict[int, TrialState] | None = None) -> tuple[Grid, SweepRecord]:
    """Plan a sweep of the toy as it is now."""
    planned = dict(enumerate(plan_jobs("train", split_sweep([*BASE, *swept]), "train")))
    record = SweepRecord(
        id="20260101-000000-aaaaaaa", experiment="toy", flow="train", command="c", overrides=[],
        state="running", started="2026-01-01T00:00:00+00:00", seconds=0.0, objective={},
        trials=[
            TrialRecord(number=n, overrides=[], params={}, state=(states or {}).get(n, "waiting"))
            for n in planned
        ],
    )  # fmt: skip
    return Grid(record, planned), record


def take(source: Grid, count: int) -> list[int]:
    return [trial.number for trial in (source.next() for _ in range(count)) if trial is not None]


def end(source: Grid, record: SweepRecord, number: int, state: TrialState = "succeeded") -> None:
    record.trials[number].state = state
    source.ended(record.trials[number])


FACTORS = "stages.double.params.factor=2,3"
LIMITS = "stages.judge.params.limit=5,6"


@pytest.fixture
def prefix(toy: Toy) -> Toy:
    """What all jobs share is cached: each pair of jobs shares `double`, which is not."""
    toy.run("stages.double.params.factor=9")
    return toy


class TestGrid:
    def test_each_job_once_in_order(self, toy: Toy) -> None:
        """Where all jobs need the same stage, nothing is gained by waiting."""
        source, _ = grid(FACTORS)
        assert source.total == 2
        assert take(source, 3) == [0, 1]
        assert source.next() is None

    def test_a_job_that_needs_a_stage_in_work_lets_others_go_first(self, prefix: Toy) -> None:
        """Job 1 needs what job 0 makes, so job 2 goes before it; where all wait, the first one goes."""
        source, _ = grid(FACTORS, LIMITS)
        assert take(source, 4) == [0, 2, 1, 3]

    def test_what_is_made_holds_nobody_up(self, prefix: Toy) -> None:
        """Once job 0 has ended, job 1 is next."""
        source, record = grid(FACTORS, LIMITS)
        assert take(source, 1) == [0]
        end(source, record, 0)
        assert take(source, 1) == [1]

    def test_a_job_in_work_again_holds_nobody_up_with_what_is_made(self, prefix: Toy) -> None:
        """Job 1 runs and needs `double` too, but job 0 has made it: a third job does not wait for it."""
        source, record = grid(FACTORS, "stages.judge.params.limit=5,6,7")
        assert take(source, 1) == [0]
        end(source, record, 0)
        assert take(source, 2) == [1, 2]

    @pytest.mark.parametrize("state", ["failed", "pruned"])
    def test_a_job_that_fails_makes_nothing(self, prefix: Toy, state: TrialState) -> None:
        """Job 1 tries the stage again, and job 2 of the same factor waits for it."""
        source, record = grid(FACTORS, "stages.judge.params.limit=5,6,7")
        assert take(source, 1) == [0]
        end(source, record, 0, state)
        assert take(source, 3) == [1, 3, 2]

    def test_a_sweep_that_goes_on(self, prefix: Toy) -> None:
        """Jobs that have ended are not handed out, all others are: also those that a kill left running."""
        states: dict[int, TrialState] = {
            0: "succeeded", 1: "running", 2: "interrupted", 3: "failed", 4: "waiting", 5: "cached",
            6: "rejected", 7: "pruned",
        }  # fmt: skip
        source, record = grid("stages.double.params.factor=2,3,4,5", LIMITS, states=states)
        assert source.total == 8
        assert take(source, 9) == [1, 2, 4]
        assert record.trials[0].state == "succeeded"

    def test_it_never_calls_a_job_hopeless(self, toy: Toy) -> None:
        """A grid has no pruner."""
        source, _ = grid(FACTORS)
        assert source.judge(0, 1, -1e9) is False


def trials(
    record: SweepRecord, n_trials: int | None = 3, seconds: float | None = None, prunes: bool = False
) -> tuple[Trials, OptunaSearch]:
    """Search the numbers from 1 to 9, each of which is its own score."""
    space = Space(domains={"x": Interval(low=1, high=9, integer=True)})
    pruner = (lambda: ThresholdPruner(lower=5)) if prunes else None
    search = OptunaSearch(
        space, ["maximize"], lambda seed: RandomSampler(seed=seed), pruner, n_trials=n_trials
    )
    return Trials(record, search, lambda point: [f"x={point['x']}"], n_trials, seconds), search


def empty() -> SweepRecord:
    return SweepRecord(
        id="20260101-000000-aaaaaaa", experiment="toy", flow="train", command="c", overrides=[],
        state="running", started="2026-01-01T00:00:00+00:00", seconds=0.0, objective={"score": "maximize"},
    )  # fmt: skip


def take_trial(source: Trials) -> TrialRecord:
    trial = source.next()
    assert trial is not None
    return trial


def end_trial(source: Trials, trial: TrialRecord, state: TrialState = "succeeded") -> None:
    trial.state = state
    trial.metrics = {"score": float(trial.params["x"])} if state == "succeeded" else {}
    source.ended(trial)


def told(search: OptunaSearch) -> list[tuple[str, list[float] | None]]:
    """Return what the sampler knows of its trials."""
    return [(trial.state.name, trial.values) for trial in search._study.get_trials(deepcopy=False)]


class TestTrials:
    def test_as_many_as_the_budget(self) -> None:
        """Each is written into the record as it is asked for, with its number and its overrides."""
        record = empty()
        source, _ = trials(record)
        found = [take_trial(source) for _ in range(3)]
        assert source.next() is None
        assert record.trials == found
        assert [trial.number for trial in found] == [0, 1, 2]
        assert [trial.overrides for trial in found] == [[f"x={trial.params['x']}"] for trial in found]

    def test_the_search_is_told_each_end(self) -> None:
        """A trial that failed or was pruned is no good one, and none is left open."""
        source, search = trials(empty())
        states: list[TrialState] = ["succeeded", "failed", "pruned"]
        values = []
        for state in states:
            trial = take_trial(source)
            values.append(float(trial.params["x"]))
            end_trial(source, trial, state)
        assert told(search) == [("COMPLETE", [values[0]]), ("FAIL", None), ("PRUNED", None)]

    def test_no_trial_starts_when_the_time_is_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that run may end; a sweep that goes on with no time left starts none either."""
        now = [100.0]
        monkeypatch.setattr("headrace.sweeps.sources.time.monotonic", lambda: now[0])
        record = empty()
        source, _ = trials(record, n_trials=None, seconds=60.0)
        assert source.total is None
        first = take_trial(source)
        now[0] = 159.0
        take_trial(source)
        now[0] = 160.0
        assert source.next() is None
        end_trial(source, first)
        assert [trial.state for trial in record.trials] == ["succeeded", "waiting"]
        late, _ = trials(record, n_trials=None, seconds=0.0)
        assert late.next() is None

    def test_a_hopeless_trial_is_told(self) -> None:
        """Its reports are in the record; a number that is no trial's is let go on."""
        record = empty()
        source, _ = trials(record, prunes=True)
        take_trial(source)
        assert [source.judge(0, step, score) for step, score in ((1, 6.0), (2, 4.0))] == [False, True]
        assert record.trials[0].reports == [(1, 6.0), (2, 4.0)]
        assert source.judge(7, 1, 0.0) is False

    def test_a_search_that_goes_on(self) -> None:
        """The search knows what ended; what did not is handed out first, anew, and the budget is the same."""
        record = empty()
        source, _ = trials(record, n_trials=4, prunes=True)
        first, second, third = (take_trial(source) for _ in range(3))
        end_trial(source, first)
        end_trial(source, second, "failed")
        source.judge(2, 1, 8.0)
        third.state = "running"
        again, search = trials(parse_sweep(json.loads(json.dumps(record.to_json()))), n_trials=4, prunes=True)
        assert told(search) == [("COMPLETE", [float(first.params["x"])]), ("FAIL", None), ("RUNNING", None)]
        reopened = take_trial(again)
        assert (reopened.number, reopened.params, reopened.reports) == (2, third.params, [])
        assert take_trial(again).number == 3
        assert again.next() is None
        end_trial(again, reopened)
        assert told(search)[2] == ("COMPLETE", [float(third.params["x"])])
