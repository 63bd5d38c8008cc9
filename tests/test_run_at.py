"""Runs on older states of the lake, on a small pipeline that reads one of its files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.assemble import Prepared, prepare
from headrace.config.compose import compose
from headrace.core.digest import digest_bytes
from headrace.core.plan import State
from headrace.core.ports import MAIN
from headrace.core.record import RunRecord
from headrace.errors import ConfigError
from headrace.run import run_job
from headrace.tell import LineDisplay, tell_nothing_to_do, tell_run

CODE = """
from pathlib import Path

def load(source: Path):
    return {"rows": source.read_text().split()}

def pack(rows: list):
    return {"model": {"rows": len(rows)}}
"""
CONF = """
# @package _global_
defaults:
  - override /lake: embedded
  - override /tracker: none
  - override /runtime: inline
name: aged
dataset: {name: rows, source: "lake:data/rows.csv"}
stages:
  load: {call: aged_stages.load, inputs: {source: "${dataset.source}"}, outputs: {rows: rows}}
  pack: {call: aged_stages.pack, inputs: {rows: rows}, outputs: {model: model}}
"""
PIPELINE = """
# @package _global_
pipeline: bare
publish: {model: "${name}", package: model, gate: null, alias: production}
"""
STATES = (b"1", b"1\n2", b"1\n2\n3")


class Aged:
    """A project whose lake holds three states of one file; `commits` are oldest first."""

    def __init__(self, folder: Path) -> None:
        self.lake = EmbeddedLake(folder / ".headrace" / "lake")
        self.commits = [self._commit(data) for data in STATES]

    def _commit(self, data: bytes) -> str:
        self.lake.put(MAIN, "data/rows.csv", data)
        return self.lake.commit(MAIN, "rows").id

    def prepare(self, *overrides: str) -> Prepared:
        words = ["+experiment=aged", "pipeline=bare", *overrides]
        return prepare(compose("train", words), words, flow="train")

    def run(self, *overrides: str) -> RunRecord:
        prepared = self.prepare(*overrides)
        return run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))


@pytest.fixture
def aged(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aged]:
    for name, text in (("experiment/aged", CONF), ("pipeline/bare", PIPELINE)):
        file = project / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(dedent(text).lstrip())
    (project / "aged_stages.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(project))
    yield Aged(project)
    sys.modules.pop("aged_stages", None)


def read(record: RunRecord) -> str:
    """Return the digest of what the first stage read."""
    return record.stages[0].inputs["source"]


def test_a_run_reads_the_state_that_it_is_told(aged: Aged) -> None:
    """At each of three commits the record has that commit, and the digest of the file as it was there."""
    aged.lake.tag("v1", aged.commits[0])
    for at, number in (("v1", 0), (aged.commits[1][:10], 1), ("~0", 2)):
        head = aged.lake.resolve(MAIN)
        record = aged.run(f"dataset.at={at}", "publish=false")
        assert record.state == "succeeded"
        assert record.source == {
            "dataset": "rows", "ref": at, "commit": aged.commits[number], "base": head,
        }  # fmt: skip
        assert read(record) == digest_bytes(STATES[number])


def test_a_run_on_an_old_state_publishes_on_the_newest(aged: Aged) -> None:
    """The run's branch starts at the head, so what `main` holds by now is there after the merge."""
    record = aged.run("dataset.at=~2")
    assert record.published is not None
    assert aged.lake.resolve(f"{record.published['commit']}^1") == aged.commits[2]
    assert aged.lake.local_path(MAIN, "data/rows.csv").read_bytes() == STATES[2]
    model = aged.lake.local_path(MAIN, "models/aged/1/model.json").read_bytes()
    assert json.loads(model) == {"rows": 1}


def test_equal_data_at_another_commit_is_cached(aged: Aged) -> None:
    """What counts is the data: a commit that left the file alone gives nothing to do."""
    aged.run()
    at_head = aged.prepare("dataset.at=~1")  # before the publish, whose merge left the file alone
    assert at_head.job.sources.commit == aged.commits[2]
    assert at_head.nothing_to_do
    plan = aged.prepare(f"dataset.at={aged.commits[1]}").plan
    assert (plan["load"].state, plan["load"].reason) == (State.RUN, "data/rows.csv changed (3 B, was 5 B)")


def test_without_an_older_state_the_head_is_read(aged: Aged) -> None:
    """Ref, commit read and branch start then are all the source ref's."""
    record = aged.run("publish=false")
    head = aged.commits[2]
    assert record.source == {"dataset": "rows", "ref": MAIN, "commit": head, "base": head}


def test_the_state_that_was_read_is_told(aged: Aged, capsys: pytest.CaptureFixture[str]) -> None:
    """At the end of a run, and where nothing is to do: the commit, and whether the command chose it."""
    record = aged.run()
    tell_run(record, Path("run.json"), aged.commits[0])
    assert f"data      {aged.commits[2][:12]} (main)\n" in capsys.readouterr().out
    tell_nothing_to_do(aged.prepare("dataset.at=main~1"))
    assert f"data:      {aged.commits[2][:12]} (dataset.at=main~1)\n" in capsys.readouterr().out


def test_steps_are_relative_to_the_source_ref(aged: Aged) -> None:
    """`~1` from another source ref is one step back from there."""
    aged.lake.tag("second", aged.commits[1])
    record = aged.run("source_ref=second", "dataset.at=~1", "publish=false")
    assert (record.source["commit"], record.source["base"]) == (aged.commits[0], aged.commits[1])


def test_an_unknown_state_ends_before_there_is_a_run(aged: Aged, project: Path) -> None:
    """The error is the config's, and neither run nor branch is left."""
    with pytest.raises(ConfigError, match=r"dataset\.at: no branch, tag or commit .v9."):
        aged.prepare("dataset.at=v9")
    assert [branch.name for branch in aged.lake.branches()] == [MAIN]
    assert not (project / ".headrace" / "runs").exists()


def test_a_state_without_the_file_says_which(aged: Aged) -> None:
    """Before the data was there, the message names path and commit."""
    empty = aged.lake.resolve("main~3")
    wanted = rf"dataset\.source: the lake holds nothing at data/rows\.csv \(commit {empty[:12]}\)"
    with pytest.raises(ConfigError, match=wanted):
        aged.prepare("dataset.at=~3")


def test_a_misspelt_path_is_told_with_what_to_type(aged: Aged) -> None:
    """It is the config that is wrong, and the key to change is the data set's."""
    with pytest.raises(ConfigError) as caught:
        aged.prepare("dataset.source=lake:dta/rows.csv")
    (problem,) = caught.value.problems
    assert problem.where == "dataset.source"
    assert problem.hint == "did you mean dataset.source=lake:data/rows.csv?"
