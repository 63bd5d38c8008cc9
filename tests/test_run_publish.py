"""Write, audit, publish: what reaches `main`, what does not, and what leads back to the run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.assemble import Prepared
from headrace.core.ports import MAIN
from headrace.core.record import RunRecord
from headrace.registry import read_registry
from headrace.run import run_job
from headrace.tell import LineDisplay, tell_nothing_to_do, tell_run
from tests.toy import CODE, Threads, Toy, run_on, states, toy

__all__ = ["toy"]


def test_a_gate_that_says_no_publishes_nothing(toy: Toy) -> None:
    """Rejected: the stages after the gate are skipped, and `main` stays where it was."""
    before = toy.prepare().job.lake.resolve(MAIN)
    record, calls = toy.run("stages.judge.params.limit=5")
    assert record.state == "rejected"
    assert "total: found 12, wanted max 5" in (record.error or "")
    assert "pack" not in calls
    assert states(record)["pack"] == "skipped"
    assert toy.prepare().job.lake.resolve(MAIN) == before


def test_without_publishing_nothing_is_published_and_the_branch_keeps_it(toy: Toy) -> None:
    """`publish=false`: `main` stays, the branch holds the record; later it is published."""
    before = toy.prepare().job.lake.resolve(MAIN)
    record, _ = toy.run("publish=false")
    lake = toy.prepare().job.lake
    assert (record.state, record.published) == ("succeeded", None)
    assert lake.resolve(MAIN) == before
    kept = json.loads(lake.local_path(record.branch, f"runs/{record.id}/run.json").read_bytes())
    assert (kept["state"], kept["gate"]["passed"], kept["config"]["publish"]) == ("succeeded", True, False)
    assert toy.prepare("publish=false").nothing_to_do
    later, calls = toy.run()
    assert calls == []
    assert later.published is not None


def test_an_experiment_may_publish_nothing(toy: Toy) -> None:
    """`publish: false` in its file does what the word on the command line does."""
    file = toy.folder / "conf" / "experiment" / "toy.yaml"
    file.write_text(file.read_text() + "publish: false\n")
    record, _ = toy.run()
    assert (record.state, record.published) == ("succeeded", None)


def test_without_publishing_a_no_of_the_gate_is_only_told(toy: Toy) -> None:
    """The verdict is in the record, what follows the gate is skipped, and the run succeeds."""
    words = ("stages.judge.params.limit=5", "+stages.aside={call: toy_stages.count, inputs: {rows: doubled}, "
             "outputs: {count: aside}}")  # fmt: skip
    record, calls = toy.run(*words, "publish=false")
    assert (record.state, record.error) == ("succeeded", None)
    assert record.gate is not None
    assert not record.gate["passed"]
    assert "pack" not in calls
    assert states(record) == {
        "load": "ran", "double": "ran", "count": "ran", "judge": "ran", "pack": "skipped", "aside": "ran",
    }  # fmt: skip
    assert toy.prepare(*words, "publish=false").rejected_by() is None
    assert toy.prepare(*words).rejected_by() is not None


def test_a_thing_called_gate_need_not_be_a_verdict(toy: Toy) -> None:
    """Where nothing is published, an artifact `gate` of another shape stops nobody."""
    toy.code = CODE.replace('{"passed": check["passed"], "checks": [check]}', '{"width": 3}')
    record, calls = toy.run("publish=false")
    assert (record.state, record.gate) == ("succeeded", None)
    assert "pack" in calls


def test_every_commit_of_a_run_leads_to_the_run(toy: Toy) -> None:
    """Stage commits and merge have run, key, experiment, git commit, Prefect and W&B ids."""
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "toy"]):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *command], check=True)

    class Named(Threads):
        def info(self) -> dict[str, Any]:
            return {"flow_run_id": "flow-1"}

    record = run_on(Named(), toy.prepare("tracker=wandb"))
    assert record.state == "succeeded"
    assert record.wandb["id"]
    lake = toy.prepare().job.lake
    same = {
        "run": record.id,
        "experiment": "toy",
        "git_commit": record.git["commit"],
        "prefect_flow_run": "flow-1",
        "wandb": record.wandb["id"],
    }
    keys = {stage.name: stage.key for stage in record.stages}
    of_stages = {c.metadata["stage"]: c.metadata for c in lake.log(record.branch) if "stage" in c.metadata}
    assert of_stages == {name: {**same, "stage": name, "key": key} for name, key in keys.items()}
    assert record.published is not None
    merge = lake.log(record.published["commit"], limit=1)[0].metadata
    assert merge.items() >= {**same, "key": keys["pack"]}.items()


@pytest.mark.parametrize("tracker", ["wandb", "none"])
def test_the_record_says_where_to_look_while_the_run_goes_on(tracker: str, toy: Toy) -> None:
    """The W&B run's id is on disk before the first stage starts; without a tracker there is none."""
    seen: list[dict[str, Any]] = []

    class Looking(LineDisplay):
        def run_started(self, record: RunRecord, stages: int) -> None:
            seen.append(prepared.job.records.read(record.id).wandb)

    prepared = toy.prepare(f"tracker={tracker}", "publish=false")
    record = run_job(prepared.job, prepared.plan, Looking(sys.stderr))
    assert [found.get("id") for found in seen] == [record.wandb.get("id")]
    assert ("id" in seen[0]) == (tracker == "wandb")
    committed = prepared.job.lake.log(record.branch, limit=1)[0].metadata
    assert (committed["run"], "wandb" in committed) == (record.id, tracker == "wandb")


def test_the_registry_is_asked_once(toy: Toy) -> None:
    """Whoever asks again what is published gets the same answer without a look at the lake."""
    toy.run()
    prepared = toy.prepare()
    version = prepared.published()
    assert version is not None
    lake = EmbeddedLake(prepared.job.root / "lake")
    lake.delete(MAIN, ["models/toy/registry.json"])
    lake.commit(MAIN, "gone")
    assert prepared.published() == version
    assert toy.prepare().published() is None


def test_the_same_result_again_does_not_move_the_alias(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    """Made anew or found in the cache, an old version stays one: nothing is published, and both say so."""
    toy.run()
    toy.run("stages.double.params.factor=3")
    head = toy.prepare().job.lake.resolve(MAIN)
    record, calls = toy.run("cache=false")
    assert "pack" in calls
    assert (record.state, record.published) == ("succeeded", None)
    assert record.already is not None
    assert (record.already["version"], record.already["alias_version"]) == (1, 2)
    lake = toy.prepare().job.lake
    assert lake.resolve(MAIN) == head
    assert lake.stat(record.branch, f"runs/{record.id}/run.json")
    tell_run(record, toy.folder / "run.json", head)
    assert "published toy version 1 already (production is version 2)" in capsys.readouterr().out
    tell_nothing_to_do(toy.prepare())
    told = capsys.readouterr().out
    assert "published: toy version 1 by run" in told
    assert "production is version 2" in told


def test_a_publish_that_was_cut_short_is_finished(toy: Toy) -> None:
    """A version without its tag is something to do, and the same command tags it and runs no stage."""
    first, _ = toy.run()
    assert first.published is not None
    lake = toy.prepare().job.lake
    lake.delete_tag("toy-v1")
    assert not toy.prepare().nothing_to_do
    record, calls = toy.run()
    assert (calls, record.published) == ([], None)
    assert lake.resolve("toy-v1") == first.published["commit"]
    assert toy.prepare().nothing_to_do


def test_two_runs_at_once_both_publish(toy: Toy) -> None:
    """Two different runs that finish together get versions 1 and 2; neither is lost."""
    toy.run("publish=null")
    toy.run("publish=null", "stages.pack.call=toy_stages.pack", "stages.double.params.factor=3")
    jobs = [toy.prepare(), toy.prepare("stages.double.params.factor=3")]
    start = threading.Barrier(2)
    records: list[RunRecord] = []

    def go(prepared: Prepared) -> None:
        start.wait()
        records.append(run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr)))

    threads = [threading.Thread(target=go, args=(prepared,)) for prepared in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.state for record in records] == ["succeeded", "succeeded"]
    registry = read_registry(toy.prepare().job.lake, MAIN, "toy")
    assert sorted(version["version"] for version in registry["versions"]) == [1, 2]


def test_what_is_published_stays_published(toy: Toy) -> None:
    """An interrupt between publish and the end leaves a record that says what `main` says."""
    record = run_on(Threads(afterwards=KeyboardInterrupt()), toy.prepare())
    assert record.state == "succeeded"
    assert record.published is not None
    assert read_registry(toy.prepare().job.lake, MAIN, "toy")["aliases"] == {"production": 1}


def test_a_known_no_of_the_gate_needs_no_run(toy: Toy) -> None:
    """A rejected run repeated is answered from the cache, with the same checks."""
    toy.run("stages.judge.params.limit=5")
    said = toy.prepare("stages.judge.params.limit=5").rejected_by()
    assert said is not None
    assert "total: found 12, wanted max 5" in str(said)
    assert toy.prepare("stages.judge.params.limit=50").rejected_by() is None
