"""`headrace sync` against a stand-in for W&B's server: in order, once, and never a loss in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.record_files import RunRecords
from headrace.adapters.tracker_wandb import WandbTracker
from headrace.adapters.tracker_wandb.sync import Syncer
from headrace.cli import main
from headrace.core.record import RunRecord
from headrace.testing.wandb import Fault, WandbServer
from tests.wandb_runs import DATA, hide_account, log_run

RUN = "20261124-100000-abc1234"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run that was logged offline, and a copy of it beside."""
    root = tmp_path_factory.mktemp("sync")
    project = root / "project"
    with pytest.MonkeyPatch.context() as patch:
        hide_account(patch, root / "home")
        tracker = WandbTracker("beaks", mode="offline", dir=project / ".headrace" / "wandb", registry="model")
        (project / ".headrace").mkdir(parents=True)
        log_run(tracker, root, RUN, version=2)
    RunRecords(project / ".headrace" / "runs").write(record_of(RUN, tracker.info()))
    shutil.copytree(project, root / "copy", symlinks=True)
    return project


def record_of(run_id: str, wandb: dict[str, Any], **fields: Any) -> RunRecord:
    known: dict[str, Any] = {
        "id": run_id,
        "experiment": "birds",
        "pipeline": "train",
        "command": "",
        "state": "succeeded",
        "started": "2026-11-24T10:00:00+00:00",
        "seconds": 1.0,
        "seed": 1,
        "config": {},
        "git": {},
        "packages": {},
        "source": {},
        "resume": "",
        "wandb": wandb,
    }
    return RunRecord(**{**known, **fields})


@pytest.fixture
def project(logged: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the run left it; what its log names lies where it was logged."""
    shutil.rmtree(logged)
    shutil.copytree(logged.parent / "copy", logged, symlinks=True)
    monkeypatch.chdir(logged)
    monkeypatch.setenv("WANDB_X_GRAPHQL_RETRY_MAX", "1")
    return logged


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    hide_account(monkeypatch, tmp_path / "home")
    with WandbServer() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WANDB_MODE", "offline")  # which may well be why the run was
        yield started
        assert started.complaints == []


def headrace(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    return int(str(end.value.code)), said.out, said.err


def wandb_of(project: Path) -> dict[str, Any]:
    return RunRecords(project / ".headrace" / "runs").read(RUN).wandb


def staged(project: Path) -> list[Path]:
    return sorted((project / ".headrace" / "wandb" / "data" / "artifacts" / "staging").iterdir())


def test_everything_is_done_in_order_and_once(
    server: WandbServer, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run arrives with its lineage, then aliases and link; a second sync asks the server nothing."""
    code, out, _ = headrace(capsys, "sync")
    assert code == 0
    run = server.store.run(RUN)
    assert (run.state, run.summary["accuracy"], run.job_type) == ("finished", 0.75, "train")
    assert [one.sequence.name for one in run.used] == [DATA.name]
    model = server.store.artifact("beaks/birds:production")
    assert {"birds-v2", "candidate"} <= model.aliases
    assert len(model.links) == 1
    wandb = wandb_of(project)
    assert (wandb["pending"], [entry["kind"] for entry in wandb["done"]]) == ([], ["run", "alias", "link"])
    assert wandb["url"] in out
    assert out.count("  done  ") == 3
    assert staged(project) == []
    asked = len(server.requests)
    code, out, _ = headrace(capsys, "sync", RUN, "--json")
    assert (code, json.loads(out)[0]["did"], json.loads(out)[0]["left"]) == (0, [], [])
    code, out, _ = headrace(capsys, "sync", "--all")
    assert (code, out) == (0, "no run here has something left to send\n")
    assert len(server.requests) == asked


def test_a_sync_that_was_killed_goes_on(server: WandbServer, project: Path) -> None:
    """Killed after the log was sent and before that was noted, the next sync sends nothing again."""
    records = RunRecords(project / ".headrace" / "runs")

    def die(record: RunRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Syncer(records.read, die, 100.0) as syncer:
        syncer.sync(RUN, records.folder(RUN))
    assert [entry["kind"] for entry in wandb_of(project)["pending"]] == ["run", "alias", "link"]
    opened = server.operations.count("UpsertBucket")
    for file in staged(project):
        file.unlink()  # the server has it, so this is no loss
    with Syncer(records.read, records.write, 100.0) as syncer:
        outcome = syncer.sync(RUN, records.folder(RUN))
    assert (outcome.error, len(outcome.did), outcome.left) == (None, 3, [])
    assert server.operations.count("UpsertBucket") == opened
    assert len(server.store.collection("beaks/birds").versions) == 1


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_staged_file_that_is_lost_is_an_error(
    damage: str, server: WandbServer, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is missing, or whose MD5 is not the one logged, stops a sync before anything is sent."""
    file = staged(project)[0]
    if damage == "gone":
        file.unlink()
    else:
        file.chmod(0o600)
        file.write_bytes(b"other bytes")
    code, out, err = headrace(capsys, "sync")
    assert code == 1
    assert str(file) in err
    assert out.count("  left  ") == 3
    assert [entry["kind"] for entry in wandb_of(project)["pending"]] == ["run", "alias", "link"]
    assert RUN not in server.store.runs


def test_what_the_server_refuses_is_left(
    server: WandbServer, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An artifact that the server does not take is an error, although W&B's command says nothing of it."""
    server.faults.add(Fault(kind="status", operation="CommitArtifact", status=403, times=None))
    code, _, err = headrace(capsys, "sync")
    assert code == 1
    assert "birds" in err
    assert [entry["kind"] for entry in wandb_of(project)["pending"]] == ["run", "alias", "link"]
    server.faults.clear()
    code, _, err = headrace(capsys, "sync")
    assert (code, err) == (0, "")
    assert wandb_of(project)["pending"] == []


def test_the_id_of_a_deleted_run_is_an_error(
    server: WandbServer, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """W&B never gives the id of a deleted run again, so a sync says that the run cannot be sent."""
    server.store.deleted.add(RUN)
    code, out, err = headrace(capsys, "sync")
    assert (code, out.count("  left  ")) == (1, 3)
    assert "was deleted in W&B" in err
    assert RUN not in server.store.runs


def test_an_older_run_takes_no_alias_back(
    server: WandbServer, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`production` stays with a newer version when an older run is synced after it."""
    monkeypatch.setenv("WANDB_MODE", "online")
    newer = WandbTracker("beaks", dir=tmp_path / "wandb")
    log_run(newer, tmp_path, "20261125-100000-newer", version=3)
    records = RunRecords(project / ".headrace" / "runs")
    with Syncer(records.read, records.write, 100.0) as syncer:
        outcome = syncer.sync(RUN, records.folder(RUN))
    assert outcome.error is None
    assert "production stays with version 3" in outcome.did[1]
    assert server.store.artifact("beaks/birds:production").metadata["version"] == 3
    assert server.store.artifact("beaks/birds:birds-v2").metadata["version"] == 2


def test_without_a_key_nothing_is_tried(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a key a sync says what to type."""
    hide_account(monkeypatch, tmp_path / "home")
    code, _, err = headrace(capsys, "sync")
    assert code == 1
    assert "type: wandb login" in err


def test_what_this_version_cannot_do_is_left(
    server: WandbServer, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An entry of an unknown kind is an error that names it, and stays for a version that knows it."""
    records = RunRecords(project / ".headrace" / "runs")
    wandb = {"id": RUN, "project": "beaks", "entity": None, "pending": [{"kind": "hologram"}]}
    records.write(record_of(RUN, wandb))
    code, out, err = headrace(capsys, "sync", RUN)
    assert (code, "left  hologram" in out, "cannot do 'hologram'" in err) == (1, True, True)


def test_a_run_that_goes_on_is_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that has not ended is not sent; `--all` passes it over, and takes no name of a run."""
    records = RunRecords(project / ".headrace" / "runs")
    records.write(record_of(RUN, wandb_of(project), state="running"))
    code, _, err = headrace(capsys, "sync", "latest")
    assert (code, "has not ended" in err) == (1, True)
    assert headrace(capsys, "sync", "--all")[0] == 0
    code, _, err = headrace(capsys, "sync", RUN, "--all")
    assert (code, "name a run, or write --all" in err) == (2, True)
