"""In which order the jobs of a grid are handed out."""

from __future__ import annotations

import pytest

from headrace.config.sweep import split_sweep
from headrace.core.sweep import SweepRecord, TrialRecord, TrialState
from headrace.sweep_plan import plan_jobs
from headrace.sweeps.sources import Grid
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
