"""Running a part of a pipeline, or a stage in any case: the debugging loop."""

from __future__ import annotations

import shutil

import pytest

from headrace.core.ports import MAIN
from headrace.errors import ConfigError
from tests.toy import Toy, states, toy

__all__ = ["toy"]


def test_stop_after_runs_what_is_needed_and_publishes_nothing(toy: Toy) -> None:
    """The stage and what leads to it run; the whole run later finds them cached."""
    before = toy.prepare().job.lake.resolve(MAIN)
    record, calls = toy.run("stop_after=double")
    assert calls == ["double", "load"]
    assert (record.state, record.published) == ("succeeded", None)
    assert states(record) == {"load": "ran", "double": "ran"}
    assert toy.prepare().job.lake.resolve(MAIN) == before
    later, calls = toy.run()
    assert calls == ["count", "judge", "pack"]
    assert later.published is not None


def test_only_runs_one_stage_on_what_a_run_made(toy: Toy) -> None:
    """Edited code runs again and again on the same inputs, with nothing before or after it."""
    first, _ = toy.run()
    toy.code = toy.code.replace("total = sum(doubled)", "total = 2 * sum(doubled)")
    record, calls = toy.run("only=judge", f"run={first.id}")
    assert calls == ["judge"]
    assert states(record) == {"judge": "ran"}
    assert record.metrics == {"total": 24}
    assert record.published is None
    again, calls = toy.run("only=judge", f"run={first.id}")
    assert (calls, states(again)) == (["judge"], {"judge": "ran"})


def test_only_wants_a_run_that_has_the_inputs(toy: Toy) -> None:
    """A run that is not there, or that never got so far, is a problem of the config."""
    with pytest.raises(ConfigError, match="headrace runs"):
        toy.prepare("only=judge", "run=20200101-000000-aaaaaa")
    stopped, _ = toy.run("stop_after=load")
    with pytest.raises(ConfigError, match="has no artifact"):
        toy.prepare("only=judge", f"run={stopped.id}")


def test_force_runs_a_stage_whose_result_is_there(toy: Toy) -> None:
    """It executes once more; what follows is cached when it comes out the same."""
    toy.run()
    prepared = toy.prepare("force=double")
    assert prepared.plan["double"].reason == "force=double"
    assert not prepared.nothing_to_do
    record, calls = toy.run("force=double")
    assert calls == ["double"]
    assert set(states(record).values()) == {"ran", "cached"}
    assert states(record)["judge"] == "cached"
    assert toy.prepare().nothing_to_do


def test_without_cache_every_stage_runs(toy: Toy) -> None:
    """`cache=false` asks the cache for nothing, and what is made serves the next run."""
    toy.run()
    record, calls = toy.run("cache=false")
    assert calls == ["count", "double", "judge", "load", "pack"]
    assert set(states(record).values()) == {"ran"}
    assert {stage.reason for stage in record.stages} == {"cache=false"}
    shutil.rmtree(toy.folder / ".headrace" / "cache" / "stages")
    toy.run("cache=false")
    assert toy.prepare().nothing_to_do


def test_reasons_compare_with_the_run_that_is_named(toy: Toy) -> None:
    """`against` chooses the run; the newest comparable one is the default."""
    first, _ = toy.run("stages.double.params.factor=2")
    toy.run("stages.double.params.factor=3")
    plan = toy.prepare("stages.double.params.factor=4").plan
    assert plan["double"].reason == "params.factor 3 → 4"
    plan = toy.prepare("stages.double.params.factor=4", f"against={first.id}").plan
    assert plan["double"].reason == "params.factor 2 → 4"
    with pytest.raises(ConfigError, match="against"):
        toy.prepare("against=20200101-000000-aaaaaa")


def test_a_plan_says_how_long_it_will_take(toy: Toy) -> None:
    """Stages that run are estimated by what they took lately."""
    record, _ = toy.run()
    took = {stage.name: stage.seconds for stage in record.stages}
    plan = toy.prepare("force=double").plan
    assert plan["double"].estimated_seconds == took["double"]
    assert plan["load"].estimated_seconds == 0.0
    assert plan["judge"].estimated_seconds == took["judge"]


def test_a_record_says_what_its_sources_were(toy: Toy) -> None:
    """The URI, the size and the digest of each file stand in the stage's entry."""
    record, _ = toy.run()
    source = record.stages[0].sources["source"]
    assert (source["uri"], source["bytes"]) == ("file:data.txt", 5)
    assert source["files"]["data.txt"] == record.stages[0].inputs["source"]


def test_a_lost_object_is_told_as_such(toy: Toy) -> None:
    """A key that the cache knows and whose object is gone is not taken for a change."""
    toy.run()
    shutil.rmtree(toy.folder / ".headrace" / "lake")
    assert toy.prepare().plan["load"].reason == "cached object is gone"


def test_a_dry_plan_of_an_empty_project_writes_nothing(toy: Toy) -> None:
    """Neither a lake nor a cache nor a record comes to be by looking."""
    from headrace.assemble import prepare
    from headrace.config.compose import compose

    words = ["+experiment=toy", "pipeline=bare"]
    before = sorted(path for path in toy.folder.rglob("*") if "__pycache__" not in path.parts)
    found = prepare(compose("train", words), words, flow="plan", dry=True)
    assert found.plan["load"].reason == "never ran before"
    after = sorted(path for path in toy.folder.rglob("*") if "__pycache__" not in path.parts)
    assert after == before
