"""`python -m flows.train … lake=lakefs`, against the stand-in: all that the embedded lake does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.core.ports import MAIN
from headrace.registry import read_registry
from headrace.testing.lakefs import Fault, StandInServer
from tests.lakefs_server import lake, server

__all__ = ["lake", "server"]

ROOT = Path(__file__).parents[2]
COMMAND = ("+experiment=penguins", "lake=lakefs", "runtime=inline", "leave_out=[explain,smoke]")
STAGES = ["ingest", "validate", "split", "preprocess", "train", "package", "evaluate", "gate"]

Done = subprocess.CompletedProcess[str]


class Trainer:
    """Runs the command in a project of its own with what a teammate's shell exports."""

    def __init__(self, server: StandInServer) -> None:
        self.secret = server.secret_access_key
        self.key = server.access_key_id
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "LAKECTL_SERVER_ENDPOINT_URL": server.endpoint,
            "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": server.access_key_id,
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": server.secret_access_key,
            "HEADRACE_LAKE_REPOSITORY": "demo",
        }

    def __call__(self, *overrides: str, check: int = 0) -> Done:
        command = [sys.executable, "-m", "flows.train", *COMMAND, *overrides]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == check, done.stdout + done.stderr
        return done


@pytest.fixture
def train(server: StandInServer, project: Path) -> Trainer:
    return Trainer(server)


def newest_record(project: Path) -> dict[str, Any]:
    newest = max((project / ".headrace" / "runs").iterdir())
    return dict(json.loads((newest / "run.json").read_text()))


def writes(server: StandInServer) -> int:
    return sum(request.method != "GET" for request in server.requests)


def test_a_run_is_published(train: Trainer, lake: LakeFSStore, project: Path) -> None:
    """One merge into `main`, a tag and the registry; each stage is a commit that leads everywhere else."""
    start = lake.resolve(MAIN)
    shown = train()
    run = newest_record(project)
    publish, first = lake.log(MAIN, first_parent=True)
    assert (publish.id, first.id) == (run["published"]["commit"], start)
    assert lake.resolve("penguins-v1") == publish.id
    assert read_registry(lake, MAIN, "penguins")["aliases"] == {"production": 1}
    commits = {commit.metadata.get("stage"): commit for commit in lake.log(f"run-{run['id']}")}
    assert set(STAGES) <= set(commits)
    for stage in run["stages"]:
        metadata = commits[stage["name"]].metadata
        assert (metadata["run"], metadata["key"]) == (run["id"], stage["key"])
        assert metadata["wandb"] == run["wandb"]["id"]
    assert publish.metadata["run"] == run["id"]
    secrets = (train.secret.encode(), train.key.encode())
    texts = [file.read_bytes() for file in project.rglob("*") if file.is_file()]
    assert not [text for text in texts for secret in secrets if secret in text]
    assert not [secret for secret in (train.secret, train.key) if secret in shown.stdout + shown.stderr]


def test_the_published_model_is_loaded(train: Trainer, project: Path) -> None:
    """The example of the docs reads the model from the lake that it is told, as any command does."""
    train("tracker=none")
    rows = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    (project / "rows.csv").write_text(rows + "Torgersen,39.1,18.7,181.0,3750.0,male,2007\n")
    command = [sys.executable, str(ROOT / "docs" / "examples" / "load_model.py"), "penguins", "rows.csv"]
    done = subprocess.run(
        [*command, "lake=lakefs"], env=train.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "penguins version 1 (production): Adelie", done.stderr


def test_a_rerun_writes_nothing(train: Trainer, server: StandInServer, project: Path) -> None:
    """With nothing to do, the server is asked few questions and told nothing."""
    train("tracker=none")
    before, written = len(server.requests), writes(server)
    assert "nothing to do" in train("tracker=none").stdout
    assert writes(server) == written
    assert len(server.requests) - before <= 25


def test_cached_artifacts_are_referenced(
    train: Trainer, server: StandInServer, lake: LakeFSStore, project: Path
) -> None:
    """A run that shares stages with another one points into its commits and copies nothing of them."""
    train("tracker=none")
    one = newest_record(project)
    train("tracker=none", "model.C=3")
    two = newest_record(project)
    assert [stage["state"] for stage in two["stages"]][:5] == ["cached"] * 4 + ["ran"]
    assert two["stages"][0]["outputs"] == one["stages"][0]["outputs"]
    made = [change.path for change in lake.diff(one["published"]["commit"], f"run-{two['id']}")]
    assert not [path for path in made if f"runs/{two['id']}/ingest" in path]
    copies = [request.query for request in server.requests if request.operation_id == "copyObject"]
    assert all("models/penguins/" in str(query) for query in copies)


def test_a_gate_that_says_no_leaves_main(train: Trainer, lake: LakeFSStore, project: Path) -> None:
    """Nothing reaches `main`, and the branch stays for reading."""
    start = lake.resolve(MAIN)
    train("tracker=none", "stages.gate.params.thresholds.accuracy.min=1.1", check=3)
    assert lake.resolve(MAIN) == start
    assert lake.tags() == []
    run = newest_record(project)
    assert run["state"] == "rejected"
    stored = lake.local_path(f"run-{run['id']}", f"runs/{run['id']}/run.json")
    assert json.loads(stored.read_text())["state"] == "rejected"


def test_bytes_that_are_gone_are_made_again(
    train: Trainer, server: StandInServer, lake: LakeFSStore, project: Path
) -> None:
    """An object whose bytes the server has collected fails one run, and the same command mends it."""
    train("tracker=none")
    run = newest_record(project)
    made = next(stage for stage in run["stages"] if stage["name"] == "preprocess")
    uri = made["outputs"]["train_features"]["uri"]
    commit, _, path = uri.removeprefix("lake://").partition("/")
    server.body_path("demo", commit, path).unlink()
    shutil.rmtree(project / ".headrace" / "cache" / "lake")
    failed = train("tracker=none", "model.C=3", check=1)
    assert path in failed.stderr
    train("tracker=none", "model.C=3")
    again = newest_record(project)
    assert again["state"] == "succeeded"
    assert next(s for s in again["stages"] if s["name"] == "preprocess")["state"] == "ran"


def test_a_bad_day_of_the_server(
    train: Trainer, server: StandInServer, lake: LakeFSStore, project: Path
) -> None:
    """A run through lost answers, locks and throttling makes each commit once."""
    for operation, fault in {
        "commit": Fault("drop_after", "commit", times=3),
        "mergeIntoBranch": Fault("drop_after", "mergeIntoBranch"),
        "createBranch": Fault("drop_after", "createBranch"),
        "uploadObject": Fault("status", "uploadObject", status=503, times=4),
        "statObject": Fault("status", "statObject", status=429, times=4),
        "logCommits": Fault("latency", "logCommits", seconds=0.2),
    }.items():
        assert fault.operation == operation
        server.fail_next(fault)
    train("tracker=none")
    run = newest_record(project)
    stages = [commit.metadata.get("stage") for commit in lake.log(f"run-{run['id']}", first_parent=True)]
    assert [stage for stage in reversed(stages) if stage] == STAGES
    assert len(lake.log(MAIN, first_parent=True)) == 2


def test_an_unknown_repository_is_told_at_once(train: Trainer, project: Path) -> None:
    """Nothing is started for a repository that is not there, and the error says how to create it."""
    done = train("lake.repository=nowhere", check=1)
    assert "headrace lake init" in done.stderr
    assert not (project / ".headrace" / "runs").exists()
