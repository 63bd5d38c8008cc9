"""A run's record survives JSON, and says so when it cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.core.artifact import Artifact, lake_uri
from headrace.core.record import FORMAT, RunRecord, StageRecord, UnreadableRecord, branch_of, parse_record

ARTIFACT = Artifact(digest="sha256:1", bytes=3, codec="json", uri=lake_uri("c0ffee", "runs/r/a/x.json"))


def record() -> RunRecord:
    stage = StageRecord(
        name="train",
        state="ran",
        reason="never ran before",
        key="k",
        key_parts={"call": "steps.train", "params": {"C": 1.0}},
        seconds=1.5,
        attempts=2,
        inputs={"table": "sha256:0"},
        outputs={"model": ARTIFACT},
    )
    return RunRecord(
        id="20260101-000000-abcdef",
        experiment="penguins",
        pipeline="train",
        command="python -m flows.train",
        state="succeeded",
        started="2026-01-01T00:00:00+00:00",
        seconds=3.25,
        seed=42,
        config={"model": {"C": 1.0}},
        git={"commit": "abc", "dirty": False},
        packages={"numpy": "2.3"},
        source={"ref": "main", "commit": "c0ffee"},
        resume="python -m flows.train",
        stages=[stage],
        metrics={"accuracy": 0.5},
        gate={"passed": True, "checks": []},
        published={"version": 1},
    )


def test_a_record_survives_json() -> None:
    """What is written is what is read, artifacts included, and the format comes first."""
    data = json.loads(json.dumps(record().to_json()))
    assert next(iter(data)) == "format"
    assert parse_record(data) == record()


def test_an_artifact_knows_where_it_is() -> None:
    """The commit and path come out of its URI."""
    assert (ARTIFACT.commit, ARTIFACT.path) == ("c0ffee", "runs/r/a/x.json")
    assert Artifact.from_json(ARTIFACT.to_json()) == ARTIFACT


def test_the_branch_follows_from_the_id() -> None:
    """Branch names hold no slash, which lakeFS would refuse."""
    assert record().branch == branch_of("20260101-000000-abcdef") == "run-20260101-000000-abcdef"


def test_a_newer_format_says_to_update() -> None:
    """A record of a later headrace is not half understood."""
    with pytest.raises(UnreadableRecord, match=r"is newer than .*: update headrace"):
        parse_record(record().to_json() | {"format": FORMAT + 1})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: None,
        lambda data: [],
        lambda data: "text",
        lambda data: {},
        lambda data: data | {"format": "1"},
        lambda data: data | {"stages": None},
        lambda data: data | {"stages": [None]},
        lambda data: data | {"surprise": 1},
        lambda data: {name: value for name, value in data.items() if name != "seed"},
        lambda data: data | {"stages": [data["stages"][0] | {"outputs": {"model": {"digest": "x"}}}]},
        lambda data: data | {"stages": [data["stages"][0] | {"outputs": []}]},
        lambda data: data | {"stages": [{"outputs": {}}]},
    ],
)
def test_a_damaged_record_is_unreadable(damage: Any) -> None:
    """Whatever is missing, surplus or of another shape ends in one kind of error."""
    with pytest.raises(UnreadableRecord):
        parse_record(damage(record().to_json()))
