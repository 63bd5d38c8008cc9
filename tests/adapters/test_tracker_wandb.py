"""W&B gets what it should, offline, from its own client: and never a secret, nor the command line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters import tracker_wandb
from headrace.adapters.tracker_none import NoTracker
from headrace.adapters.tracker_wandb import WandbTracker, choose_mode, keep_recorders, recorder

SECRET = "planted-b0a7c1d2"
ARGV = "model.password=planted-argv-77"


@pytest.fixture(autouse=True)
def _private_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test see the user's key, or leave something in the user's home."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NETRC"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def read_back(folder: Path) -> dict[str, Any]:
    """Return what W&B's own command reads from the folder of an offline run."""
    wandb = Path(sys.executable).with_name("wandb")
    shown = subprocess.run(
        [str(wandb), "leet", "inspect", "--summary", "--json", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def logged_run(tmp_path: Path, state: str = "succeeded") -> WandbTracker:
    tracker = WandbTracker("beaks", mode="offline", dir=tmp_path / "wandb")
    config = {"model": {"C": 0.5}, "db": {"password": SECRET, "url": f"postgresql://me:{SECRET}@host/db"}}
    tracker.start("20261124-run.1", "penguins", config, ["nightly"])
    for epoch in range(3):
        tracker.log({"loss": 1.0 / (epoch + 1)}, step=epoch)
    tracker.log({"accuracy": 0.75})
    report = tmp_path / "report.json"
    report.write_text('{"rows": 344}')
    tracker.attach("validation report", "report", {"report.json": report}, {"api_key": SECRET, "rows": 344})
    report.unlink()
    tracker.finish(state, {"f1": 0.875, "token": SECRET, "commit": "abc123"})
    return tracker


def test_offline_run_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Config, figures, tags and state are in the folder that `info` names, relative to the current one."""
    monkeypatch.chdir(tmp_path)
    info = logged_run(tmp_path).info()
    assert info["id"] == "20261124-run.1"
    assert not Path(info["dir"]).is_absolute()
    run = read_back(tmp_path / info["dir"])
    assert run["project"] == "beaks"
    assert run["config"]["model"] == {"C": 0.5}
    assert run["tags"] == ["nightly"]
    assert (run["state"], run["exit_code"]) == ("finished", 0)
    figures = {name: run["summary"][name] for name in ("loss", "accuracy", "f1", "state", "commit")}
    assert figures == {"loss": 1 / 3, "accuracy": 0.75, "f1": 0.875, "state": "succeeded", "commit": "abc123"}


def test_no_secret_and_no_argv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a planted secret nor the command line is anywhere in the bytes of the W&B folder."""
    monkeypatch.setattr(sys, "argv", ["train", ARGV])
    monkeypatch.setenv("SOME_PASSWORD", SECRET)
    logged_run(tmp_path)
    files = [file for file in (tmp_path / "wandb").rglob("*") if file.is_file()]
    assert any(file.suffix == ".wandb" for file in files)
    for file in files:
        data = file.read_bytes()
        assert SECRET.encode() not in data, file
        assert b"planted-argv" not in data, file
        assert b"wandb_recorder.py" not in data, file


def test_attached_file_is_kept(tmp_path: Path) -> None:
    """A file attached and deleted at once is still there to be uploaded, and no other copy is left."""
    logged_run(tmp_path)
    kept = [f for f in (tmp_path / "wandb").rglob("*") if f.is_file() and f.read_bytes() == b'{"rows": 344}']
    assert len(kept) == 1
    assert not (tmp_path / "wandb" / "spool" / "20261124-run.1").exists()


@pytest.mark.parametrize(("state", "exit_code"), [("failed", 1), ("pruned", 0)])
def test_only_a_failed_run_is_failed_there(tmp_path: Path, state: str, exit_code: int) -> None:
    """A run that failed has a non-zero exit code in W&B, one that a search gave up has not."""
    run = read_back(Path(logged_run(tmp_path, state).info()["dir"]))
    assert (run["exit_code"], run["summary"]["state"]) == (exit_code, state)


KILLED = """
import os, sys
from headrace.adapters.tracker_wandb import WandbTracker
tracker = WandbTracker("beaks", mode="offline", dir=sys.argv[1])
tracker.start("killed", "penguins", {}, [])
tracker.log({"loss": 0.5})
while "dir" not in tracker.info():
    pass
print(tracker.info()["dir"], tracker._recorder._process.pid, flush=True)
os._exit(9)
"""


def test_killed_run_is_closed_as_failed(tmp_path: Path) -> None:
    """When the run dies without a word, its recorder writes what it has and ends the run as failed."""
    source = str(Path(tracker_wandb.__file__).parents[3])
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "wandb")],
        stdout=subprocess.PIPE,  # the recorder does not hold it, so this ends with the killed process
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        cwd=tmp_path,
    )
    folder, pid = died.stdout.split()
    wait_for_end(int(pid))
    run = read_back(tmp_path / folder)
    assert run["exit_code"] == 1
    assert run["summary"]["loss"] == 0.5


def wait_for_end(pid: int) -> None:
    """Wait for a process that is no child of ours, by a descriptor that becomes readable at its end."""
    import select

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)


def test_a_recorder_is_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a process with many share one recorder and nothing else; one that died is replaced."""
    monkeypatch.setattr(recorder, "_waiting", None)  # to be restored
    keep_recorders()
    WandbTracker("beaks", mode="offline", dir=tmp_path / "wandb").warm_up()
    folders, processes = [], []
    for number in range(3):
        tracker = WandbTracker("beaks", mode="offline", dir=tmp_path / "wandb")
        tracker.start(f"run-{number}", "penguins", {"number": number}, [])
        tracker.log({f"loss_{number}": 0.5}, step=number)
        tracker.finish("succeeded", {"last": number})
        folders.append(Path(tracker.info()["dir"]))
        assert tracker._recorder is not None
        processes.append(tracker._recorder._process)
        if number == 1:
            processes[-1].kill()
            processes[-1].wait()
    processes[-1].kill()
    assert list((tmp_path / "wandb" / "spool").iterdir()) == []
    assert processes[0] is processes[1]
    assert processes[1] is not processes[2]
    for number, folder in enumerate(folders):
        run = read_back(folder)
        assert run["config"] == {"number": number}
        figures = {name for name in run["summary"] if not name.startswith("_")}
        assert figures == {f"loss_{number}", "step", "last", "state"}
        assert run["exit_code"] == 0


def test_trouble_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A recorder that cannot run costs a warning that says so, and no call raises."""
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no client here')")
    monkeypatch.setattr(recorder, "COMMAND", [sys.executable, str(broken)])
    with caplog.at_level(logging.WARNING):
        logged_run(tmp_path)
    assert "ended early" in caplog.text
    assert "no client here" in caplog.text


def test_folder_that_cannot_be_made_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file in the place of the folder costs a warning, and the run goes on untracked."""
    (tmp_path / "wandb").write_text("in the way")
    tracker = logged_run(tmp_path)
    assert tracker.info() == {}
    assert "the run is not logged" in caplog.text


def test_large_files_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only small files are attached; a large one is told about."""
    monkeypatch.setattr(recorder, "ATTACH_AT_MOST_BYTES", 3)
    logged_run(tmp_path)
    assert "validation report is missing in the log" in caplog.text


@pytest.mark.parametrize(
    ("mode", "environ", "chosen"),
    [
        ("auto", {}, "offline"),
        ("auto", {"WANDB_API_KEY": "k"}, "online"),
        ("online", {"WANDB_MODE": "offline"}, "offline"),
        ("auto", {"WANDB_API_KEY": "k", "WANDB_MODE": "dryrun"}, "offline"),
        ("auto", {"WANDB_MODE": "disabled"}, "disabled"),
        ("online", {"WANDB_DISABLED": "true"}, "disabled"),
        ("sideways", {}, "offline"),
    ],
)
def test_mode(mode: str, environ: dict[str, str], chosen: str, tmp_path: Path) -> None:
    """A key means online, no key offline, and the environment's own word wins."""
    assert choose_mode(mode, {"HOME": str(tmp_path), **environ}) == chosen


def test_key_in_netrc_means_online(tmp_path: Path) -> None:
    """A key in netrc counts for the server it is for, and for no other."""
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password k\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert choose_mode("auto", {"HOME": str(tmp_path)}) == "online"
    assert (
        choose_mode("auto", {"HOME": str(tmp_path), "WANDB_BASE_URL": "https://w.example.org"}) == "offline"
    )


def test_disabled_starts_nothing(tmp_path: Path) -> None:
    """A disabled tracker and no tracker leave nothing behind and have nothing to say."""
    for tracker in (WandbTracker("beaks", mode="disabled", dir=tmp_path / "wandb"), NoTracker()):
        tracker.start("r", "penguins", {}, [])
        tracker.log({"loss": 1.0}, step=0)
        tracker.finish("succeeded", {})
        assert tracker.info() == {}
    assert list(tmp_path.iterdir()) == []
