"""Runs as a tracker logs them, and what W&B's own reader finds of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.tracker_wandb import WandbTracker, recorder, tracker
from headrace.core.artifact import Artifact
from headrace.core.lineage import refer_to_model, refer_to_source
from headrace.core.ports import Table
from headrace.testing.wandb import WandbServer

COMMIT = "c0ffee" * 10
BIRDS = {"uri": "lake:data/birds.csv", "bytes": 12, "files": {"data/birds.csv": "sha256:b1bd"}}
DATA = refer_to_source(BIRDS, "sha256:b1bd", "lakefs:http://lake.example.org/aviary", COMMIT)


def hide_account(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Let no test see the user's key, or leave something in the user's home."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NETRC"):
        monkeypatch.setenv(name, str(home))


def read_back(folder: Path) -> dict[str, Any]:
    """Return what W&B's own command reads from the folder of an offline run."""
    found: dict[str, Any] = json.loads(_inspect("--summary", "--json", str(folder)))
    return found


def read_records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind in the log of an offline run."""
    return read_log(folder)[kind]


def read_log(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what is in the log of an offline run, by kind."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in _inspect("--json", str(folder)).splitlines():
        record = json.loads(line)
        found[record["type"]].append(record.get(record["type"], {}))
    return found


def _inspect(*words: str) -> str:
    wandb = Path(sys.executable).with_name("wandb")
    command = [str(wandb), "leet", "inspect", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def birds_model(content: str) -> Any:
    """Return a model by what its package holds."""
    uri = f"lake://{COMMIT}/runs/r/package/model.skops"
    package = Artifact(digest=f"sha256:{content}", bytes=5, codec="estimator", uri=uri)
    return refer_to_model("birds", package, "embedded:/lake", {"metrics": {"accuracy": 0.75}})


def log_run(tracker: WandbTracker, folder: Path, run_id: str, version: int | None = 1) -> None:
    """Log a run with everything that one may have; without a version it publishes nothing."""
    tracker.start(run_id, "birds", {"model": {"C": 0.5}}, ["nightly"])
    for epoch in range(3):
        tracker.log({"train/loss": 1.0 / (epoch + 1)}, step=epoch)
    tracker.use(DATA)
    report = folder / "validation.json"
    report.write_text('{"rows": 344}')
    failures = Table(columns=["column", "row"], rows=[["beak", 3]])
    tracker.attach("validation", "validation", {report.name: report}, {"rows": 344}, {"failures": failures})
    report.unlink()
    model = birds_model(f"{version or 0:064d}"[::-1])
    tracker.model(model, dict)
    if version is not None:
        tracker.published(model, version, [f"birds-v{version}", "production"])
    tracker.finish("succeeded", {"accuracy": 0.75})


@pytest.fixture(scope="module")
def started() -> Iterator[WandbServer]:
    """The stand-in for W&B, for the tests of one module."""
    with WandbServer() as server:
        yield server


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[Path, recorder.Recorder]]:
    """Recorders by folder that wait for the next run: starting one takes a second."""
    waiting: dict[Path, recorder.Recorder] = {}
    yield waiting
    for one in waiting.values():
        one.kill()


@pytest.fixture
def server(
    started: WandbServer,
    kept: dict[Path, recorder.Recorder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[WandbServer]:
    """A stand-in to which the environment leads; the client asks for nothing that it does not know."""
    hide_account(monkeypatch, tmp_path / "home")
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(recorder, "_waiting", kept)
    monkeypatch.setattr(tracker, "_unreachable", set())
    before = len(started.complaints)
    yield started
    started.faults.clear()
    assert started.complaints[before:] == []
