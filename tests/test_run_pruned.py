"""A run whose stage reports a hopeless score ends there: pruned, and no failure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from flows.train import EXIT_CODES
from headrace.adapters.tracker_none import NoTracker
from headrace.assemble import Prepared, prepare
from headrace.commands.runs import STATES
from headrace.config.compose import compose
from headrace.context import StageContext
from headrace.core.ports import MAIN, Judge
from headrace.core.record import RunRecord, RunState, StageState
from headrace.errors import Pruned, RefNotFound
from headrace.run import run_job
from headrace.tell import MARKS, LineDisplay, tell_run
from tests.toy import CODE, Threads, Toy, run_on, states, toy

__all__ = ["toy"]

REPORTING = CODE.replace(
    "def double(rows: list, factor: int = 2):", "def double(rows: list, context):"
).replace(
    '    CALLS.append("double")\n    return {"doubled": [toy_helper.scale(x, factor) for x in rows]}',
    '    kept = context.workdir / "step"\n'
    "    done = int(kept.read_text()) if kept.exists() else 0\n"
    "    for step in range(done + 1, 5):\n"
    '        CALLS.append(f"double {step}")\n'
    "        kept.write_text(str(step))\n"
    "        context.report(step, step / 10)\n"
    '    return {"doubled": rows}',
)
WORDS = ("+experiment=toy", "pipeline=bare", "~stages.double.params")


def hopeless_at(step: int) -> Judge:
    return lambda at, score: at == step and score == step / 10


def prepare_judged(judge: Judge | None, *overrides: str) -> Prepared:
    words = [*WORDS, *overrides]
    return prepare(compose("train", words), words, flow="train", judge=judge)


def run_judged(toy: Toy, judge: Judge | None, *overrides: str) -> tuple[RunRecord, list[str]]:
    toy.code = REPORTING
    toy.write()
    prepared = prepare_judged(judge, *overrides)
    record = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
    return record, list(sys.modules["toy_stages"].CALLS)


def test_a_hopeless_score_ends_the_run_as_pruned(toy: Toy) -> None:
    """The stage stops at that step and is not tried again, what needs it is skipped, nothing is published."""
    record, calls = run_judged(toy, hopeless_at(2), "+stages.double.retries=3")
    assert (record.state, record.error) == (
        "pruned",
        "stage double pruned at step 2: the search sees no hope in it",
    )
    assert [call for call in calls if call.startswith("double")] == ["double 1", "double 2"]
    assert {name: states(record)[name] for name in ("load", "double", "judge", "pack")} == {
        "load": "ran", "double": "pruned", "judge": "skipped", "pack": "skipped"
    }  # fmt: skip
    double = next(stage for stage in record.stages if stage.name == "double")
    assert (double.attempts, double.reason) == (1, record.error)
    assert record.published is None
    job = prepare_judged(None).job
    assert [info.path for info in job.lake.list(MAIN)] == []  # type: ignore[union-attr]
    assert job.records.read(record.id) == record


def test_a_pruned_stage_is_no_hit_and_goes_on_where_it_stopped(toy: Toy) -> None:
    """The next run executes it, from what it kept in its work directory, which goes when it is done."""
    pruned, _ = run_judged(toy, hopeless_at(2))
    key = next(stage.key for stage in pruned.stages if stage.name == "double")
    assert key is not None
    job = prepare_judged(None).job
    assert job.cache.get(key) is None
    kept = job.root / "checkpoints" / key
    assert kept.is_dir()
    record, calls = run_judged(toy, None)
    assert record.state == "succeeded"
    assert [call for call in calls if call.startswith(("double", "load"))] == ["double 3", "double 4"]
    assert not kept.exists()


def test_a_stage_beside_a_pruned_one_is_kept(toy: Toy) -> None:
    """What runs at the same time is waited for, and its result is there for the next run."""
    toy.code = (
        REPORTING.replace('CALLS.append("count")', "assert GO.wait(30)")
        .replace("context.report(step, step / 10)", "GO.set(); context.report(step, step / 10)")
        .replace("CALLS = []", "import threading\nCALLS = []\nGO = threading.Event()")
    )
    toy.write()
    record = run_on(Threads(), prepare_judged(hopeless_at(1)))
    assert record.state == "pruned"
    assert states(record)["count"] == "ran"


def test_pruned_is_told_without_a_command_to_resume(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of the run says at which step, and does not ask anybody to go on."""
    record, _ = run_judged(toy, hopeless_at(3))
    tell_run(record, Path("run.json"), "c0ffee")
    out = capsys.readouterr().out
    assert "pruned: stage double pruned at step 3" in out
    assert "to resume" not in out


def test_every_state_is_known_wherever_states_are_listed() -> None:
    """Marks, exit codes and the filter of `headrace runs` cover the states that records have."""
    assert set(MARKS) == set(get_args(StageState))
    assert set(EXIT_CODES) == set(get_args(RunState)) - {"running"}
    assert set(STATES) == set(get_args(RunState))


class Listening(NoTracker):
    """A tracker that keeps the figures it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, float], int | None]] = []

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.told.append((dict(metrics), step))


def test_the_judge_hears_what_the_tracker_hears(tmp_path: Path) -> None:
    """Both get step and score; the judge gets plain numbers, after the tracker has the deciding one."""
    heard: list[tuple[int, float]] = []

    def judge(step: int, score: float) -> bool:
        heard.append((step, score))
        return score < 0.5

    tracker = Listening()
    context = StageContext("fit", 0, tmp_path, tracker, LineDisplay(sys.stderr), judge)
    context.report(1, 0.5)
    with pytest.raises(Pruned, match="stage fit pruned at step 2"):
        context.report(2, np.float32(0.25))  # type: ignore[arg-type]
    assert heard == [(1, 0.5), (2, 0.25)]
    assert type(heard[1][1]) is float
    assert tracker.told == [({"fit/interim": 0.5}, 1), ({"fit/interim": 0.25}, 2)]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_logged_and_not_judged(tmp_path: Path, score: float) -> None:
    """The tracker gets it as it is; a judge that finds everything hopeless is not asked."""
    tracker = Listening()
    context = StageContext("fit", 0, tmp_path, tracker, LineDisplay(sys.stderr), lambda step, score: True)
    context.report(1, score)
    ((metrics, step),) = tracker.told
    assert step == 1
    assert metrics["fit/interim"] == pytest.approx(score, nan_ok=True)


def test_no_branch_but_the_runs_own_is_touched(toy: Toy) -> None:
    """A pruned run leaves its record on its branch, and no tag of a version."""
    record, _ = run_judged(toy, hopeless_at(1))
    lake = prepare_judged(None).job.lake
    assert lake.stat(record.branch, f"runs/{record.id}/run.json").bytes > 0
    with pytest.raises(RefNotFound):
        lake.resolve("toy-v1")


def test_a_real_pipeline_is_pruned_after_a_fold_and_finished_later(project: Path) -> None:
    """Cross-validation reports to the judge; without one the same run goes through, with its scores."""
    words = ["+experiment=breast_cancer", "stages/train=cross_validate", "runtime=inline", "tracker=none"]
    judges: list[Judge | None] = [lambda step, score: step == 2 and score > 0.9, None]
    records = []
    for judge in judges:
        prepared = prepare(compose("train", words), words, flow="train", judge=judge)
        records.append(run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr)))
    pruned, whole = records
    assert pruned.error == "stage train pruned at step 2: the search sees no hope in it"
    assert {name for name, state in states(pruned).items() if state == "skipped"} == {
        "package", "evaluate", "smoke", "gate", "explain"
    }  # fmt: skip
    assert whole.state == "succeeded"
    assert states(whole)["preprocess"] == "cached"
    assert "scores" in next(stage for stage in whole.stages if stage.name == "train").outputs
