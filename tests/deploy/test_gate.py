"""The gate asked again: the run's own stages and artifacts, against what the alias names today."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.record_files import RunRecords
from headrace.adapters.source_models import SourceModels
from headrace.adapters.stat_cache import StatCache
from headrace.assemble import codecs
from headrace.core.code import CodeIndex
from headrace.deploy.gate import CannotAsk, Judged, Verdict, ask_again
from headrace.registry import read_current
from tests.deploy.arena import Arena, arena, toy

__all__ = ["arena", "toy"]

Ask = Callable[..., Verdict | None]

SPLIT = """
def measure(doubled: list, champion: dict | None = None, context: object = None):
    CALLS.append("measure")
    old = sum(champion["weights"]) if champion else None
    evaluation = {"old": old, "pair": (1, 2)}
    return {"metrics": {"total": sum(doubled), "seed": context.seed}, "evaluation": evaluation}

def judge(metrics: dict, evaluation: dict, count: dict | None = None, limit: int = 0):
    CALLS.append("judge")
    assert evaluation["pair"] == [1, 2]
    gain = 0 if evaluation["old"] is None else metrics["total"] - evaluation["old"]
    check = {"metric": "total", "rule": "min_gain", "wanted": limit, "found": gain, "passed": gain >= limit}
    return {"gate": {"passed": check["passed"], "checks": [check]}}
"""


@pytest.fixture
def ask(arena: Arena, tmp_path: Path) -> Ask:
    """Ask the gate of a run against a version."""

    def run(run_id: str, champion: int | None, alias: str = "production") -> Verdict | None:
        models = SourceModels(partial(read_current, arena.lake))
        package = models.package(f"model:toy/{champion}") if champion else None
        record = RunRecords(arena.root / "runs").read(run_id)
        against = (champion, package) if champion and package else None
        judged = Judged(record=record, model="toy", alias=alias, champion=against)
        index = CodeIndex(StatCache(tmp_path / "files.json").remember)
        return ask_again(judged, arena.lake, codecs(), models, index, tmp_path / "work")

    return run


def calls() -> list[str]:
    import sys

    return list(sys.modules["toy_stages"].CALLS)


def test_a_run_is_judged_against_the_champion_of_today(arena: Arena, ask: Ask) -> None:
    """What was good when it ran is held against the version that is there now; nothing else runs again."""
    first, second = arena.run(2), arena.run(3)
    before = calls()
    good, alone, bad = ask(second, 1), ask(first, None), ask(first, 2)
    assert good is not None and alone is not None and bad is not None  # noqa: PT018
    assert (good.passed, good.champion, good.checks[0]["found"]) == (True, 1, 6)
    assert (alone.passed, alone.champion, alone.checks[0]["found"]) == (True, None, None)
    assert (bad.passed, bad.checks[0]["found"]) == (False, -6)
    assert calls() == [*before, "judge", "judge", "judge"]


def test_nothing_is_written(arena: Arena, ask: Ask) -> None:
    """The lake, the record and the cache stay as they are."""
    arena.run(2)
    second = arena.run(3)
    head = arena.lake.resolve("main")
    file = RunRecords(arena.root / "runs").file(second)
    text = file.read_bytes()
    ask(second, 1)
    assert (arena.lake.resolve("main"), file.read_bytes()) == (head, text)


@pytest.fixture
def split(arena: Arena) -> Arena:
    """The toy with a stage that compares, as `evaluate` does, before the gate."""
    toy = arena.toy
    start, end = toy.code.index("def judge"), toy.code.index("def pack")
    toy.code = toy.code[:start] + SPLIT.lstrip() + "\n" + toy.code[end:]
    file = toy.folder / "conf" / "experiment" / "toy.yaml"
    text = file.read_text()
    start, end = text.index("  judge:"), text.index("  pack:")
    stages = """  measure:
    call: toy_stages.measure
    inputs: {doubled: doubled, champion: "champion:"}
    outputs: {metrics: metrics, evaluation: evaluation}
  judge:
    call: toy_stages.judge
    params: {limit: 0}
    inputs: {metrics: metrics, evaluation: evaluation, count: count}
    outputs: {gate: gate}
"""
    file.write_text(text[:start] + stages + text[end:])
    toy.write()
    return arena


def test_what_reads_the_champion_is_called_before_the_gate(split: Arena, ask: Ask) -> None:
    """The comparison is made anew with the run's seed, the gate reads it as the lake would give it back."""
    split.run(2)
    second = split.run(3)
    before = calls()
    verdict = ask(second, 1)
    assert verdict is not None
    assert (verdict.passed, verdict.checks[0]["found"]) == (True, 6)
    assert calls() == [*before, "measure", "judge"]


def test_a_stage_that_was_left_out_is_done_without(split: Arena, ask: Ask) -> None:
    """The gate's argument keeps its default, as it did in the run."""
    run = split.run(2, "leave_out=[count]")
    verdict = ask(run, None)
    assert verdict is not None
    assert verdict.passed


def test_a_job_that_was_not_to_publish_is_compared_all_the_same(arena: Arena, ask: Ask) -> None:
    """Its config names the champion, although the job itself had none to compare with."""
    arena.run(3)
    job = arena.run(2, "publish=false")
    verdict = ask(job, 1)
    assert verdict is not None
    assert (verdict.passed, verdict.checks[0]["found"]) == (False, -6)


def test_artifacts_that_are_gone_are_named(arena: Arena, ask: Ask) -> None:
    """Where the lake collected what the gate reads, only a reason helps."""
    run = arena.run(2, "publish=false")
    arena.lake.delete_branch(f"run-{run}")
    arena.lake.gc()
    with pytest.raises(
        CannotAsk, match=r"no longer has its count, doubled\nto go on without it, add: 'force="
    ):
        ask(run, None)


def change(record: Any, stage: str, **fields: Any) -> None:
    record.config["stages"][stage] |= fields


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"call": "toy_stages.judje"}, "toy_stages' has no 'judje'"),
        ({"params": {"limit": "<redacted>"}}, "has a secret that no record holds"),
        ({"inputs": {"doubled": "doubled", "count": "file:data.txt"}}, "reads file:data.txt itself"),
        ({"inputs": {"doubled": "count", "count": "count"}}, "which cannot be given as list"),
        ({"params": {"limits": 3}}, "TypeError: judge() got an unexpected keyword"),
    ],
)
def test_a_gate_that_cannot_answer_says_why(fields: dict[str, Any], why: str, arena: Arena, ask: Ask) -> None:
    """A function that is gone, a secret, other data, an error in it: nothing of it is a yes or a no."""
    run = arena.run(2)
    records = RunRecords(arena.root / "runs")
    record = records.read(run)
    change(record, "judge", **fields)
    RunRecords(arena.root / "runs").write(record)
    with pytest.raises(CannotAsk, match=f"the gate of run {run} cannot be asked again: ") as found:
        ask(run, None)
    assert why in str(found.value)


def test_a_run_without_a_gate_has_no_verdict(arena: Arena, ask: Ask) -> None:
    """Nobody asked it then, so nobody asks it now."""
    run = arena.run(2, "publish.gate=null")
    assert ask(run, None) is None
