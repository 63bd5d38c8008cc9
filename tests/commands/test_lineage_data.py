"""`headrace lineage` from data to the runs that read it, and from models whose runs were elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN
from headrace.core.record import RunRecord
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]


@pytest.fixture
def two(toy: Toy) -> tuple[RunRecord, RunRecord]:
    """A run that publishes, and one on the same data whose gate says no."""
    return toy.run()[0], toy.run("stages.judge.params.limit=1", "stages.double.params.factor=5")[0]


def test_runs_without_a_version_are_named_too(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """Both runs read the file; one of them came to a version."""
    found = ask("lineage", "file:data.txt", "--json").json
    assert [(one["run"], one["version"], one["state"]) for one in found] == [
        (two[0].id, 1, "succeeded"),
        (two[1].id, None, "rejected"),
    ]
    assert ask("lineage", "file:data.txt").lines[1].startswith(f"no version  by run {two[1].id}")


def test_an_artifact_leads_to_every_run_that_used_it(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """By URI with a short commit, and by the beginning of its digest; a cached one belongs to both runs."""
    rows = two[0].stages[0].outputs["rows"]
    doubled = next(stage for stage in two[1].stages if stage.name == "double").outputs["doubled"]
    short = f"lake://{rows.commit[:12]}/{rows.path}"
    for word in (rows.uri, short, rows.digest[:20]):
        assert {one["run"] for one in ask("lineage", word, "--json").json} == {two[0].id, two[1].id}
    for word in (doubled.uri, doubled.digest):
        assert {one["run"] for one in ask("lineage", word, "--json").json} == {two[1].id}


def test_lake_data_and_the_commit_it_was_read_at(toy: Toy, ask: Ask) -> None:
    """Runs are found by lake path, by the commit of the lake, and by its tag; others are not."""
    lake = EmbeddedLake(Path(".headrace/lake"))
    lake.put(MAIN, "raw/numbers.txt", b"4 5")
    commit = lake.commit(MAIN, "add numbers").id
    lake.tag("numbers-1", commit)
    of_lake, _ = toy.run("stages.load.inputs.source=lake:raw/numbers.txt")
    toy.run()
    for word in ("lake:raw/numbers.txt", f"lake://{commit}/raw/numbers.txt", commit[:10], "numbers-1"):
        assert [one["run"] for one in ask("lineage", word, "--json").json] == [of_lake.id], word


def test_a_run_of_another_project_on_the_same_lake(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """Where the folder of records is gone, the lake's copy leads from model to data and back."""
    shutil.rmtree(".headrace/runs")
    told = ask("lineage", "toy@production")
    assert "source  file:data.txt" in told.out
    assert "toy_helper" in told.out
    found = ask("lineage", "file:data.txt", "--json").json
    assert [(one["model"], one["version"], one["run"]) for one in found] == [("toy", 1, two[0].id)]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("toyy:1", "did you mean toy?"),
        ("file:data.tx", "did you mean file:data.txt?"),
        ("sha256:12", "no run read or made"),
        ("lake://nothing/x", "no run read or made"),
        ("", "no run read or made"),
    ],
)
def test_words_that_lead_nowhere(two: tuple[RunRecord, RunRecord], ask: Ask, word: str, hint: str) -> None:
    """Exit code 1, and what is like it."""
    told = ask("lineage", word)
    assert (told.code, told.out, hint in told.err) == (1, "", True), told.err
