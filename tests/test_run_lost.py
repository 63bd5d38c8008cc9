"""Results whose objects are gone or damaged are made anew."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.assemble import Prepared
from headrace.core.plan import State
from headrace.core.ports import ObjectInfo
from headrace.errors import ObjectNotFound
from headrace.run import run_job
from headrace.tell import LineDisplay
from tests.toy import Toy, states, toy

__all__ = ["toy"]


def test_a_lost_object_is_a_miss(toy: Toy) -> None:
    """When the branch that held a result is gone, its stages run again."""
    record, _ = toy.run("publish=null")
    lake = toy.prepare().job.lake
    lake.delete_branch(record.branch)
    lake.gc()
    plan = toy.prepare("publish=null").plan
    assert plan["load"].state is State.RUN


class Losing(EmbeddedLake):
    """A lake that still describes an object whose bytes are gone, as a server may; not a whole one."""

    gone = ""

    def local_path(self, ref: str, path: str) -> Path:
        if f"lake://{ref}/{path}" == self.gone:
            raise ObjectNotFound(f"the bytes of {path!r} at {ref!r} are gone")
        return super().local_path(ref, path)


def lose(prepared: Prepared, uri: str) -> Prepared:
    lake = Losing(prepared.job.root / "lake")
    lake.gone = uri
    return replace(prepared, job=replace(prepared.job, lake=lake))


def test_a_lost_object_found_on_reading_is_made_anew(toy: Toy) -> None:
    """The plan, which looks at the description, finds it; the run fails, and the same command mends it."""
    record, _ = toy.run("publish=null")
    rows = next(stage for stage in record.stages if stage.name == "load").outputs["rows"]
    words = ("publish=null", "stages.double.params.factor=4")
    prepared = lose(toy.prepare(*words), rows.uri)
    assert prepared.plan["load"].state is State.CACHED
    failed = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
    assert failed.state == "failed"
    assert "load/rows.json" in (failed.error or "")
    again = lose(toy.prepare(*words), rows.uri)
    assert again.plan["load"].state is State.RUN
    mended = run_job(again.job, again.plan, LineDisplay(sys.stderr))
    assert mended.error is None
    assert states(mended)["load"] == "ran"


def test_a_lost_verdict_does_not_stand_in_the_way(toy: Toy) -> None:
    """Where the gate's no is cached and cannot be read, the same command asks the gate anew."""
    record, _ = toy.run("stages.judge.params.limit=5")
    gate = next(stage for stage in record.stages if stage.name == "judge").outputs["gate"]
    said = []
    for _ in range(2):
        prepared = lose(toy.prepare("stages.judge.params.limit=5"), gate.uri)
        assert prepared.rejected_by() is None
        said.append(run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr)).state)
    assert said == ["failed", "rejected"]


def test_a_lost_package_is_made_anew(toy: Toy) -> None:
    """A package whose bytes turn out to be gone when it is published fails the run, and only that one."""

    class LosingLinks(EmbeddedLake):
        def link(self, branch: str, path: str, src_ref: str, src_path: str) -> ObjectInfo:
            if f"lake://{src_ref}/{src_path}" == lost:
                raise ObjectNotFound(f"the bytes of {src_path!r} are gone")
            return super().link(branch, path, src_ref, src_path)

    record, _ = toy.run("publish=false")
    lost = next(stage for stage in record.stages if stage.name == "pack").outputs["model"].uri
    found = []
    for _ in range(2):
        prepared = toy.prepare()
        job = replace(prepared.job, lake=LosingLinks(prepared.job.root / "lake"))
        found.append(run_job(job, prepared.plan, LineDisplay(sys.stderr)))
    assert [record.state for record in found] == ["failed", "succeeded"]
    assert "are gone" in (found[0].error or "")
    assert states(found[1])["pack"] == "ran"


def test_a_damaged_object_is_made_anew_by_the_next_run(toy: Toy) -> None:
    """A run that meets a damaged input fails and names it; the same command then mends it."""
    record, _ = toy.run("publish=null")
    rows = next(stage for stage in record.stages if stage.name == "load").outputs["rows"]
    file = toy.prepare().job.lake.local_path(rows.commit, rows.path)
    file.chmod(0o644)
    file.write_bytes(b"[9, 9, 9]")
    words = ("publish=null", "stages.double.params.factor=4")
    failed, _ = toy.run(*words)
    assert failed.state == "failed"
    assert "load/rows.json" in (failed.error or "")
    mended, calls = toy.run(*words)
    assert mended.error is None
    assert "load" in calls
