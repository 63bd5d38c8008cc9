"""A run is compared with the champion, and its own publishing does not make it run again."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.plan import State
from headrace.errors import ConfigError
from headrace.registry import read_registry
from headrace.run import run_job
from headrace.tell import LineDisplay
from tests.toy import Toy, states, toy

__all__ = ["toy"]

JUDGE = """
def judge(doubled: list, count: dict, limit: int = 100, champion: dict | None = None):
    CALLS.append("judge")
    old = sum(champion["weights"]) if champion else None
    check = {"metric": "total", "rule": "min_gain", "wanted": 0, "found": old,
             "passed": old is None or sum(doubled) >= old}
    metrics = {"total": sum(doubled), "champion": -1 if old is None else old}
    return {"gate": {"passed": check["passed"], "checks": [check]}, "metrics": metrics}
"""


@pytest.fixture
def arena(toy: Toy) -> Toy:
    """The toy, with a judge that also sees the champion."""
    start, end = toy.code.index("def judge"), toy.code.index("def pack")
    toy.code = toy.code[:start] + dedent(JUDGE).lstrip() + "\n" + toy.code[end:]
    file = toy.folder / "conf" / "experiment" / "toy.yaml"
    file.write_text(
        file.read_text().replace(
            "inputs: {doubled: doubled, count: count}",
            'inputs: {doubled: doubled, count: count, champion: "champion:"}',
        )
    )
    toy.write()
    return toy


def read_by(toy: Toy, *overrides: str) -> dict[str, Any]:
    """Return what a plan says of the champion."""
    told = toy.prepare(*overrides).job.sources_told
    return {uri: about["version"] for uri, about in told.items() if uri.startswith("model:")}


def test_the_first_run_has_no_champion_and_the_next_one_has(arena: Toy) -> None:
    """The argument keeps its default, then gets the package behind the alias."""
    first, _ = arena.run()
    second, calls = arena.run("stages.double.params.factor=3")
    assert (first.metrics["champion"], second.metrics["champion"]) == (-1, 12)
    assert calls == ["double", "judge", "pack"]
    judge = next(stage for stage in second.stages if stage.name == "judge")
    assert judge.sources["champion"]["version"] == 1
    assert judge.sources["champion"]["artifact"].endswith("/models/toy/1/model.json")


def test_the_same_again_has_nothing_to_do(arena: Toy) -> None:
    """What made the champion is not held against itself, nor is an older version against a newer one."""
    arena.run()
    assert arena.prepare().nothing_to_do
    assert read_by(arena) == {"model:toy@production": None}
    arena.run("stages.double.params.factor=3")
    assert arena.prepare("stages.double.params.factor=3").nothing_to_do
    assert read_by(arena, "stages.double.params.factor=3") == {"model:toy@production": 1}
    assert arena.prepare().nothing_to_do


def test_a_change_is_judged_against_the_champion_of_today(arena: Toy) -> None:
    """A candidate that is worse is rejected, and the plan says which version it will meet."""
    arena.run("stages.double.params.factor=3")
    arena.run("stages.double.params.factor=5")
    record, _ = arena.run("stages.double.params.factor=2")
    assert record.state == "rejected"
    assert record.metrics["champion"] == 30
    arena.run("stages.double.params.factor=9")
    plan = arena.prepare("stages.double.params.factor=2").plan
    assert plan["double"].state is State.CACHED
    assert any("version 2 → version 3" in reason for reason in plan["judge"].reasons)


def test_who_publishes_nothing_is_compared_with_nobody(arena: Toy) -> None:
    """`publish=false` leaves the argument at its default, so that jobs of a sweep stay cached."""
    arena.run()
    record, _ = arena.run("publish=false", "stages.double.params.factor=3")
    assert record.metrics["champion"] == -1
    assert read_by(arena, "publish=false") == {}


def test_a_version_can_be_named(arena: Toy) -> None:
    """`model:toy/1` is that version for ever, and one that is not there is a problem of the config."""
    arena.run()
    arena.run("stages.double.params.factor=3")
    record, _ = arena.run("stages.double.params.factor=5", "stages.judge.inputs.champion=model:toy/1")
    assert record.metrics["champion"] == 12
    with pytest.raises(ConfigError, match=r"stages\.judge\.inputs\.champion: the lake has no version 9"):
        arena.prepare("stages.judge.inputs.champion=model:toy/9")


def test_a_run_without_champion_by_null(arena: Toy) -> None:
    """An input of null is the argument's default."""
    arena.run()
    record, _ = arena.run("stages.double.params.factor=3", "stages.judge.inputs.champion=null")
    assert record.metrics["champion"] == -1


def test_an_argument_without_default_cannot_be_without_champion(arena: Toy) -> None:
    """The problem says what to write in the signature."""
    arena.code = arena.code.replace("champion: dict | None = None", "champion: dict")
    arena.code = arena.code.replace("limit: int = 100, champion: dict", "champion: dict, limit: int = 100")
    arena.write()
    with pytest.raises(ConfigError, match=r"write champion=None in its signature"):
        arena.prepare()
    with pytest.raises(ConfigError, match=r"names no version yet, and toy_stages\.judge needs 'champion'"):
        arena.prepare("stages.judge.inputs.champion=model:toy@production")


def test_the_registry_says_whom_a_version_beat(arena: Toy) -> None:
    """It keeps by URI the version that was read."""
    arena.run()
    arena.run("stages.double.params.factor=3")
    lake: Any = arena.prepare().job.lake
    assert isinstance(lake, EmbeddedLake)
    read = [version["read"] for version in read_registry(lake, "main", "toy")["versions"]]
    assert read == [{"model:toy@production": None}, {"model:toy@production": 1}]


def test_left_out_stages_do_not_run(toy: Toy) -> None:
    """What reads them gets its default; where it has none, the problem says so."""
    toy.code = toy.code.replace("count: dict, limit", "count: dict | None = None, limit")
    toy.write()
    record, calls = toy.run("leave_out=[count]")
    assert (record.state, states(record)) == (
        "succeeded", {"load": "ran", "double": "ran", "judge": "ran", "pack": "ran"},
    )  # fmt: skip
    assert "count" not in calls
    with pytest.raises(ConfigError, match=r"leave_out: stage judge cannot do without 'doubled' of double"):
        toy.prepare("leave_out=[double]", "publish=false")
    with pytest.raises(ConfigError, match=r"there is no stage 'cuont'\n.*did you mean leave_out=\[count\]"):
        toy.prepare("leave_out=[cuont]")


def test_a_version_that_moved_between_plan_and_run_does_not_mix(arena: Toy) -> None:
    """The run reads the version that its plan saw, though another one was published meanwhile."""
    arena.run()
    waiting = arena.prepare("stages.double.params.factor=4")
    arena.run("stages.double.params.factor=3")
    record = run_job(waiting.job, waiting.plan, LineDisplay(sys.stderr))
    assert record.metrics["champion"] == 12
    assert Path(waiting.job.root).is_dir()
