"""What a run's tracker is told, read back from W&B's own log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.wandb_runs import read_log

ROOT = Path(__file__).parents[1]
TRAIN = ("-m", "flows.train", "+experiment=penguins", "runtime=inline", "tracker.mode=offline")
QUICK = ("leave_out=[explain,smoke]", "stages.gate.params.package=false", "tracker.registry=model")


def train(project: Path, *words: str) -> tuple[int, dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Run one flow; return its exit code, the newest record, and the log of it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run([sys.executable, *TRAIN, *QUICK, *words], cwd=project, env=env, check=False)
    newest = max(project.glob(".headrace/runs/*/run.json"))
    record = json.loads(newest.read_text())
    return done.returncode, record, read_log(project / record["wandb"]["dir"])


def summary_of(log: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {name: value for one in log["summary"] for name, value in one.get("update", {}).items()}


@pytest.mark.slow
def test_a_run_tells_its_tracker_what_people_ask(project: Path) -> None:
    """A run that publishes tells data, model, intervals and version; one whose gate says no, an alert."""
    code, record, log = train(project)
    assert code == 0
    artifacts = {one["name"]: one for one in log["artifact"]}
    data, model = artifacts["package-palmerpenguins-data-penguins.csv"], artifacts["penguins"]
    assert data["use_after_commit"]
    package = next(s for s in record["stages"] if s["name"] == "package")["outputs"]["model"]
    (file,) = model["manifest"]["contents"]
    assert (file["ref"], file["digest"]) == (package["uri"], package["digest"])
    assert json.loads(model["metadata"])["metrics"] == record["metrics"]
    assert {"validation", "evaluation", "metrics", "gate"} <= artifacts.keys()
    found = summary_of(log)
    assert (found["state"], found["gate"], found["model"], found["version"]) == (
        *("succeeded", "passed"),
        *("penguins", 1),
    )
    assert found["interval"]["accuracy"].keys() == {"low", "high"}
    assert [entry["kind"] for entry in record["wandb"]["pending"]] == ["run", "alias", "link"]
    assert record["wandb"]["pending"][1]["aliases"] == ["penguins-v1", "production"]
    assert log["alert"] == []
    (run,) = log["run"]
    assert run["job_type"] == "train"

    code, record, log = train(project, "stages.gate.params.thresholds={accuracy: {min: 1.5}}")
    assert (code, record["state"]) == (3, "rejected")
    (alert,) = log["alert"]
    assert (alert["title"], "accuracy" in alert["text"]) == ("penguins was stopped by its gate", True)
    assert summary_of(log)["gate"] == "says no"
    artifacts = {one["name"]: one for one in log["artifact"]}
    assert artifacts["penguins"].get("use_after_commit", False) is False
    assert [entry["kind"] for entry in record["wandb"]["pending"]] == ["run"]
