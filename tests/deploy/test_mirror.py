"""W&B's aliases follow the lake's: at once, or by `headrace sync`, in whatever order runs are sent."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.record_files import RunRecords
from headrace.adapters.tracker_wandb import WandbTracker
from headrace.adapters.tracker_wandb.sync import Syncer
from headrace.deploy.mirror import WandbMirror
from headrace.registry import Move
from headrace.testing.wandb import Fault, WandbServer
from tests.deploy.birds import make_record
from tests.wandb_runs import birds_model, kept, log_run, server, started

__all__ = ["kept", "server", "started"]

_numbers = itertools.count(1)


class Aviary:
    """A project whose runs published versions of a model, each when it ran."""

    def __init__(self, folder: Path, logs: Path, **tracker: Any) -> None:
        number = next(_numbers)
        self.project = f"beaks-{number}"
        self.runs = {version: f"20261124-10000{version}-{number}" for version in (1, 2, 3)}
        self.root = folder / ".headrace"
        self.root.mkdir()
        self.logs = logs
        self.records = RunRecords(self.root / "runs")
        self.files = folder
        self.tracker = tracker
        self.registry: dict[str, Any] = {"model": "birds", "versions": [], "aliases": {}}

    def publish(self, version: int, mode: str = "online") -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WANDB_MODE", mode)
            logged = WandbTracker(self.project, dir=self.logs / mode, **self.tracker)
            log_run(logged, self.files, self.runs[version], version)
        config = {"tracker": {"mode": "auto", **self.tracker}}
        self.records.write(make_record(self.runs[version], wandb=logged.info(), config=config))
        digest = birds_model(f"{version:064d}"[::-1]).metadata["digest"]
        entry = {"version": version, "run": self.runs[version], "digest": digest}
        self.registry["versions"].append({**entry, "bytes": 5, "codec": "estimator", "uri": "lake://c/m"})
        Move(alias="production", why="publish").apply(self.registry, version)

    def move(self, alias: str, to: int | None) -> str:
        entry = Move(alias=alias, why="promote").apply(self.registry, to)
        mirror = WandbMirror(root=self.root, identity="embedded:/lake", seconds=60, environ=os.environ)
        return mirror.follow(self.registry, alias, entry["from"])

    def sync(self, version: int) -> list[str]:
        with Syncer(self.records.read, self.records.write, 60) as syncer:
            outcome = syncer.sync(self.runs[version], self.records.folder(self.runs[version]))
        assert outcome.error is None
        return outcome.did

    def pending(self, version: int) -> list[str]:
        return [one["kind"] for one in self.records.read(self.runs[version]).wandb["pending"]]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(autouse=True)
def _in_haste(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server that fails once more and no oftener; after `server`, which clears the environment."""
    monkeypatch.setenv("WANDB_X_GRAPHQL_RETRY_MAX", "1")


@pytest.fixture
def aviary(tmp_path: Path, logs: Path) -> Aviary:
    return Aviary(tmp_path, logs, registry="model")


def holders(server: WandbServer, aviary: Aviary, alias: str) -> list[int]:
    """Return the versions that have an alias, in the project's collection and where they are linked."""
    found = []
    for version in server.store.collection(f"{aviary.project}/birds").versions:
        linked = set().union(*version.artifact.links.values())
        if alias in version.aliases or alias in linked:
            assert (alias in version.aliases) == (not version.artifact.links or alias in linked)
            found.append(version.artifact.metadata["version"])
    return found


def test_an_alias_moves_back_and_away(server: WandbServer, aviary: Aviary) -> None:
    """Also to an older version, which publishing never does, and in the registry that it is linked to."""
    for version in (1, 2):
        aviary.publish(version)
    assert holders(server, aviary, "production") == [2]
    said = aviary.move("production", 1)
    assert said.startswith("birds:")
    assert said.endswith(" is production")
    assert holders(server, aviary, "production") == [1]
    assert (holders(server, aviary, "birds-v1"), holders(server, aviary, "birds-v2")) == ([1], [2])
    assert aviary.move("canary", 2).endswith(" is canary")
    assert aviary.move("canary", None) == "nothing is canary"
    assert (holders(server, aviary, "canary"), holders(server, aviary, "production")) == ([], [1])
    assert aviary.pending(1) == aviary.pending(2) == []


def test_runs_may_be_sent_in_any_order(server: WandbServer, aviary: Aviary, monkeypatch: Any) -> None:
    """What was published or moved before the alias moved does not take it back when it arrives late."""
    aviary.publish(1)
    aviary.publish(2, mode="offline")
    assert aviary.move("staging", 2).startswith(f"waits, for run {aviary.runs[2]} was logged offline")
    assert aviary.pending(2) == ["run", "alias", "link", "move"]
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "headrace sync" in aviary.move("production", 1)
    monkeypatch.setenv("WANDB_MODE", "online")
    assert "is production" in aviary.sync(1)[-1]
    assert "production stays with version 1" in aviary.sync(2)[1]
    assert holders(server, aviary, "production") == [1]
    monkeypatch.setenv("WANDB_MODE", "offline")
    aviary.move("production", 2)
    aviary.move("production", 1)
    monkeypatch.setenv("WANDB_MODE", "online")
    aviary.sync(1)
    assert aviary.sync(2) == ["production stays with version 1, to which it moved later"]
    assert holders(server, aviary, "production") == [1]
    aviary.publish(3)
    assert holders(server, aviary, "production") == [3]


def test_trouble_is_told_and_left(server: WandbServer, aviary: Aviary) -> None:
    """A server that says no costs the deployment nothing; the next sync does it."""
    aviary.publish(1)
    server.faults.add(Fault(kind="status", operation="AddAliases", status=403, times=None))
    assert aviary.move("staging", 1).startswith("waits: ")
    assert aviary.pending(1) == ["move"]
    server.faults.clear()
    assert aviary.sync(1)[-1].endswith("is staging")
    assert holders(server, aviary, "staging") == [1]


def test_a_model_that_w_and_b_does_not_have(server: WandbServer, aviary: Aviary) -> None:
    """A run that was not to publish logged no model: then nothing has the alias, and that is said."""
    for version in (1, 2):
        aviary.publish(version)
    aviary.registry["versions"][0]["digest"] = f"sha256:{'f' * 64}"
    said = aviary.move("production", 1)
    assert said == "nothing is production: birds:ffffffffffff is not there, for its run logged no model"
    assert holders(server, aviary, "production") == []


def test_who_logs_nothing_there_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tracker=none nothing is said; of a run of another machine, that it is one."""
    aviary = Aviary(tmp_path, tmp_path)
    entry = {"version": 1, "run": "r1", "digest": "sha256:1", "bytes": 1, "codec": "x", "uri": "lake://c/m"}
    aviary.registry["versions"].append(entry)
    assert aviary.move("production", 1) == "not told: the record of run r1 is on another machine"
    aviary.records.write(make_record("r1", wandb={}))
    assert aviary.move("production", 1) == ""
    aviary.records.write(make_record("r1"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert aviary.move("production", 1) == ""
    assert aviary.records.read("r1").wandb["pending"] == []
