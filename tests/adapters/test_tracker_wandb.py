"""W&B gets what it should, offline, from its own client: and never a secret, nor the command line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters import tracker_wandb
from headrace.adapters.tracker_none import NoTracker
from headrace.adapters.tracker_wandb import WandbTracker, choose_mode, keep_recorders, recorder
from headrace.core.ports import Table
from tests.wandb_runs import COMMIT, birds_model, hide_account, log_run, read_back, read_records

SECRET = "planted-b0a7c1d2"
ARGV = "model.password=planted-argv-77"


@pytest.fixture(autouse=True)
def _private_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_account(monkeypatch, tmp_path / "home")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, recorder.Recorder]]:
    """Recorders by folder that wait for the next run: starting one takes a second."""
    waiting: dict[Path, recorder.Recorder] = {}
    yield waiting
    for one in waiting.values():
        one.kill()


@pytest.fixture
def folder(
    kept: dict[Path, recorder.Recorder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder whose recorder the next test takes over, with the runs of the tests before."""
    monkeypatch.setattr(recorder, "_waiting", kept)
    return next(iter(kept), tmp_path_factory.mktemp("kept") / "wandb")


def logged_run(tmp_path: Path, state: str = "succeeded", folder: Path | None = None) -> WandbTracker:
    tracker = WandbTracker("beaks", mode="offline", dir=folder or tmp_path / "wandb")
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


def test_lineage_is_in_the_log(tmp_path: Path, folder: Path) -> None:
    """Data is used and the model made, both by reference: address, digest, and an alias of their own."""
    tracker = WandbTracker("beaks", mode="offline", dir=folder, registry="model")
    log_run(tracker, tmp_path, "r1", version=3)
    found = {one["name"]: one for one in read_records(Path(tracker.info()["dir"]), "artifact")}
    data, model = found["lake-data-birds.csv"], found["birds"]
    assert data["use_after_commit"]
    assert (data["type"], COMMIT[:12] in data["aliases"]) == ("dataset", True)
    (file,) = data["manifest"]["contents"]
    assert file["ref"] == f"lakefs://aviary/{COMMIT}/data/birds.csv"
    assert (file["digest"], "local_path" in file) == ("sha256:b1bd", False)
    assert "use_after_commit" not in model
    assert {"candidate", "300000000000"} <= set(model["aliases"])
    (file,) = model["manifest"]["contents"]
    assert file["ref"] == f"lake://{COMMIT}/runs/r/package/model.skops"
    assert json.loads(model["metadata"])["metrics"] == {"accuracy": 0.75}


def test_what_is_left_to_do_is_told_in_order(tmp_path: Path, folder: Path) -> None:
    """Offline, the log is still to be sent, then the aliases given and the registry linked."""
    tracker = WandbTracker("beaks", "team", mode="offline", dir=folder, registry="model")
    log_run(tracker, tmp_path, "r1", version=3)
    info = tracker.info()
    model = {"artifact": "birds:300000000000", "aliases": ["birds-v3", "production"], "version": 3}
    assert info["pending"] == [
        {"kind": "run", "dir": info["dir"]},
        {"kind": "alias", **model},
        {"kind": "link", **model, "to": "wandb-registry-model/birds"},
    ]
    assert (info["project"], info["entity"], info["done"]) == ("beaks", "team", [])


def test_a_models_files_go_along_where_asked(tmp_path: Path, folder: Path) -> None:
    """`upload_models` adds the files to the reference; without it nobody asks for them."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    tracker = WandbTracker("beaks", mode="offline", dir=folder, upload_models=True)
    tracker.start("r1", "birds", {}, [])
    tracker.model(birds_model("1"), lambda: {"weights.bin": weights})
    tracker.finish("succeeded", {})
    (model,) = read_records(Path(tracker.info()["dir"]), "artifact")
    assert [file["path"] for file in model["manifest"]["contents"]] == ["package", "weights.bin"]


def test_tables_are_what_the_client_reads(tmp_path: Path, folder: Path) -> None:
    """A table of rows, or of a Parquet file's first hundred, loads as W&B's own; secret columns stay out."""
    import pyarrow as pa
    from pyarrow import parquet

    many = pa.table({"n": list(range(150)), "password": [SECRET] * 150, "seen": [None] * 150})
    parquet.write_table(many, tmp_path / "errors.parquet")
    few = Table(columns=["column", "count"], rows=[["beak", 2], [None, float("nan")]])
    tracker = WandbTracker("beaks", mode="offline", dir=folder)
    tracker.start("r1", "birds", {}, [])
    tracker.attach("errors", "errors", {}, {}, {"errors": tmp_path / "errors.parquet", "few": few})
    tracker.finish("succeeded", {})
    (artifact,) = read_records(Path(tracker.info()["dir"]), "artifact")
    files = {f["path"]: Path(f["local_path"]) for f in artifact["manifest"]["contents"]}
    script = "import json, sys, wandb; t = wandb.Table.from_json(json.load(open(sys.argv[1])), None); "
    script += "print(json.dumps([t.columns, len(t.data), t.data[1]]))"
    read = []
    for name in ("errors.table.json", "few.table.json"):
        command = [sys.executable, "-c", script, str(files[name])]
        read.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    assert read == [[["n", "seen"], 100, [1, None]], [["column", "count"], 2, [None, None]]]


def test_rows_stay_here_where_tables_are_off(tmp_path: Path, folder: Path) -> None:
    """With `tables: false` the report goes to W&B and the rows do not."""
    tracker = WandbTracker("beaks", mode="offline", dir=folder, tables=False)
    log_run(tracker, tmp_path, "r1")
    found = {one["name"]: one for one in read_records(Path(tracker.info()["dir"]), "artifact")}
    assert [f["path"] for f in found["validation"]["manifest"]["contents"]] == ["validation.json"]


def test_what_is_called_a_secret_is_refused(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A summary, metadata and metrics under such names are left out, and the names are told once each."""
    logged_run(tmp_path, folder=folder)
    assert "refused token of the summary" in caplog.text
    assert "refused api_key of the metadata of validation report" in caplog.text
    assert SECRET not in caplog.text


def test_job_type_and_alert_are_in_the_log(tmp_path: Path, folder: Path) -> None:
    """A run says which flow it is of, and an alert waits there until it is sent."""
    tracker = WandbTracker("beaks", mode="offline", dir=folder)
    tracker.start("r1", "birds", {}, [], group="sweep-7", job_type="train")
    tracker.alert("birds failed", "no rows are left; see https://me:hunter2@host/log")
    tracker.finish("failed", {})
    log = Path(tracker.info()["dir"])
    (run,) = read_records(log, "run")
    assert (run["job_type"], run["run_group"]) == ("train", "sweep-7")
    (alert,) = read_records(log, "alert")
    assert (alert["title"], alert["level"]) == ("birds failed", "ERROR")
    assert "hunter2" not in alert["text"]


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
        assert b"recording.py" not in data, file


def test_attached_file_is_kept(tmp_path: Path) -> None:
    """A file attached and deleted at once is still there to be uploaded, and no other copy is left."""
    logged_run(tmp_path)
    kept = [f for f in (tmp_path / "wandb").rglob("*") if f.is_file() and f.read_bytes() == b'{"rows": 344}']
    assert len(kept) == 1
    assert not (tmp_path / "wandb" / "spool" / "20261124-run.1").exists()


@pytest.mark.parametrize(("state", "exit_code"), [("failed", 1), ("pruned", 0)])
def test_only_a_failed_run_is_failed_there(tmp_path: Path, folder: Path, state: str, exit_code: int) -> None:
    """A run that failed has a non-zero exit code in W&B, one that a search gave up has not."""
    run = read_back(Path(logged_run(tmp_path, state, folder).info()["dir"]))
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
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only small files are attached; a large one is told about."""
    monkeypatch.setattr(recorder, "ATTACH_AT_MOST_BYTES", 3)
    logged_run(tmp_path, folder=folder)
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


@pytest.mark.parametrize("host", ["api.wandb.ai", "api.forge.coreweave.com"])
def test_key_in_netrc_means_online(tmp_path: Path, host: str) -> None:
    """A key in netrc counts for the server it is for, and for no other."""
    (tmp_path / ".netrc").write_text(f"machine {host} login user password k\n")
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
