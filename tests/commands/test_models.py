"""`headrace models`: what there is, what the aliases name, and how that came to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.ports import LakeStore
from headrace.deploy.journal import Journal
from headrace.registry import move_alias, registry_path
from tests.deploy.birds import make_versions, plan

from .conftest import Ask


@pytest.fixture
def root(project: Path, lake: LakeStore) -> Path:
    """A project with three versions of a model, whose aliases moved."""
    root = project / ".headrace"
    make_versions(lake, root)
    check = {"metric": "accuracy", "passed": False}
    move_alias(lake, "birds", "production", 2, why="rollback", run="r2")
    move_alias(lake, "birds", "canary", 3, run="r3", share=0.1, forced="a demo", checks=[check])
    return root


def test_models_are_listed_with_their_aliases(root: Path, ask: Ask) -> None:
    """Production first; each with its version, since when and by what, and at last what to type."""
    said = ask("models").lines
    assert said[0] == "birds  3 versions"
    assert said[1].startswith("       production: version 2  since ")
    assert said[1].endswith(", rollback of run r2")
    assert said[2].startswith("       canary: version 3 (10% of the traffic)  since ")
    assert said[-1] == "more of one: headrace models birds"
    (found,) = ask("models", "--json").json
    assert (found["model"], found["versions"], found["unfinished"]) == ("birds", [1, 2, 3], [])
    assert {"version": 3, "share": 0.1, "why": "promote", "run": "r3"}.items() <= found["aliases"][
        "canary"
    ].items()


def test_one_model_is_told_with_its_history(root: Path, ask: Ask) -> None:
    """Versions with runs, metrics and aliases; then every move, the newest first, and why it was forced."""
    said = ask("models", "birds").lines
    assert said[:3] == [
        "version 3  run r3  accuracy 0.3  canary 10%",
        "version 2  run r2  accuracy 0.2  production",
        "version 1  run r1  accuracy 0.1",
    ]
    start = said.index("history, newest first")
    moves = [line.split("Z", 1)[1].split() if "Z" in line else line.strip() for line in said[start + 1 :]]
    assert moves == [
        "promote canary: nothing → 3 10% of the traffic run r3".split(),
        "forced (against 1 check): a demo",
        "rollback production: 3 → 2 run r2".split(),
        "publish production: 2 → 3 run r3".split(),
        "publish production: 1 → 2 run r2".split(),
        "publish production: nothing → 1 run r1".split(),
    ]
    found = ask("models", "birds", "--json").json
    assert [version["aliases"] for version in found["versions"]] == [["canary"], ["production"], []]
    assert [move["why"] for move in found["history"]][:2] == ["promote", "rollback"]


def test_an_unfinished_deployment_is_told_and_left(root: Path, ask: Ask) -> None:
    """It says how far it got; finishing it is for `flows.deploy`."""
    Journal(root / "deployments").write(plan("d1", state="wandb"))
    said = ask("models", "birds").lines[-1]
    assert said.startswith("unfinished: birds@production, begun 2026-11-24T10:00Z, got as far as wandb; ")
    assert ask("models", "--json").json[0]["unfinished"][0]["id"] == "d1"
    assert [one.state for one in Journal(root / "deployments").read_all()] == ["wandb"]


def test_a_registry_of_old_has_no_history(lake: LakeStore, ask: Ask) -> None:
    """What was published before there was one is listed all the same."""
    text = (
        '{"format": 1, "model": "old", "aliases": {"production": 1}, "versions": '
        '[{"version": 1, "run": "r", "digest": "d", "bytes": 1, "codec": "c", "uri": "u", "metrics": {}}]}'
    )
    lake.put("main", registry_path("old"), text.encode())
    lake.commit("main", "a model of old")
    assert ask("models").lines[1] == "     production: version 1"
    assert ask("models", "old").lines[-1] == "no history: it begins with the next move"


def test_what_is_not_there_is_told(project: Path, lake: LakeStore, ask: Ask) -> None:
    """No lake, no model, another model: each says what there is."""
    assert ask("models").code == 1
    lake.put("main", "a", b"1")
    lake.commit("main", "a file")
    assert ask("models").lines == ["the lake has no model yet: a run publishes one"]
    make_versions(lake, project / ".headrace", 1)
    said = ask("models", "brids")
    assert (said.code, "did you mean birds?" in said.err) == (1, True)
