"""The default runtime, for real: a local Prefect server, W&B offline, and the flow as it is deployed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.server]


FOREVER = {
    "forever_stages.py": (
        "import sys, threading\n\n\n"
        "def wait(name: str):\n"
        "    sys.stderr.write(f'{name} waits\\n')  # one write: lines of two threads stay apart\n"
        "    threading.Event().wait(600)\n"
        "    return {'done': name}\n\n\n"
        "def join(left: str, right: str):\n"
        "    return {'done': left + right}\n"
    ),
    "conf/experiment/forever.yaml": (
        "# @package _global_\n"
        "defaults:\n  - override /pipeline: bare\n"
        "name: forever\n"
        "stages:\n"
        "  left: {call: forever_stages.wait, params: {name: left}, outputs: {done: a}}\n"
        "  right: {call: forever_stages.wait, params: {name: right}, outputs: {done: b}}\n"
        "  both: {call: forever_stages.join, inputs: {left: a, right: b}, outputs: {done: c}}\n"
    ),
    "conf/pipeline/bare.yaml": "# @package _global_\npipeline: bare\npublish: null\n",
}


class Shell:
    """A project folder with a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, **extra},
            capture_output=True,
            text=True,
            check=False,
        )

    def train(self, *overrides: str) -> subprocess.CompletedProcess[str]:
        done = self.run("-m", "flows.train", "+experiment=breast_cancer", *overrides)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def headrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", "from headrace.cli import main; main()", *words)

    def records(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / ".headrace" / "runs").glob("*/run.json"))
        return [json.loads(file.read_text()) for file in files]

    def ask(self, route: str, body: dict[str, Any] | None = None) -> Any:
        url = json.loads((self.folder / ".headrace" / "server" / "server.json").read_text())["port"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{url}/api/{route}",
            data=json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.headrace("server", "stop")


def a_run_is_one_flow_run_with_a_task_run_a_stage(shell: Shell) -> None:
    """The first command starts a server, runs there, and says where to look and how to stop it."""
    out = shell.train().stdout
    (record,) = shell.records()
    assert record["prefect"]["url"] in out
    assert "headrace server stop" in out
    runs = shell.ask("flow_runs/filter")
    assert [(run["id"], run["state_type"]) for run in runs] == [
        (record["prefect"]["flow_run_id"], "COMPLETED")
    ]
    assert runs[0]["parameters"] == {"overrides": ["+experiment=breast_cancer"]}
    tasks = shell.ask("task_runs/filter")
    assert sorted(task["name"] for task in tasks) == sorted(stage["name"] for stage in record["stages"])
    assert {task["state_type"] for task in tasks} == {"COMPLETED"}
    (plan,) = shell.ask("artifacts/filter")
    assert "| train | " in plan["data"]


def wandb_has_the_run_offline(shell: Shell) -> None:
    """Without a key the W&B run is a folder that the record names."""
    record = shell.records()[0]
    folder = Path(record["wandb"]["dir"])
    assert list((shell.folder / folder).glob("*.wandb"))


def the_server_can_be_asked_for(shell: Shell) -> None:
    """`headrace server url` and `status` tell of the server that the run left."""
    url = shell.headrace("server", "url").stdout.strip()
    assert shell.records()[0]["prefect"]["url"].startswith(url)
    assert "running" in shell.headrace("server", "status").stdout


def the_same_again_makes_no_flow_run(shell: Shell) -> None:
    """With nothing to do the server hears nothing of it."""
    assert "nothing to do" in shell.train().stdout
    assert len(shell.ask("flow_runs/filter")) == 1


def the_deployed_flow_trains_in_its_own_flow_run(shell: Shell) -> None:
    """`flows.train.train` takes overrides, can be made a deployment, and uses the flow run it is in."""
    code = (
        "import json, sys\n"
        "from flows.train import train\n"
        "from prefect.deployments.runner import EntrypointType\n"
        "from prefect.flows import load_flow_from_entrypoint\n"
        "made = train.to_deployment('nightly', entrypoint_type=EntrypointType.MODULE_PATH)\n"
        "assert made.entrypoint == 'flows.train.train'\n"
        "assert load_flow_from_entrypoint(made.entrypoint) is train\n"
        "print(json.dumps(train(['+experiment=breast_cancer', 'model.C=2'])))\n"
    )
    url = shell.headrace("server", "url").stdout.strip()
    done = shell.run("-c", code, PREFECT_API_URL=f"{url}/api")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["published"]["version"] == 2
    flow_runs = {run["id"]: run for run in shell.ask("flow_runs/filter")}
    assert len(flow_runs) == 2
    record = shell.records()[-1]
    assert flow_runs[record["prefect"]["flow_run_id"]]["parameters"] == {
        "sweep": None,
        "overrides": ["+experiment=breast_cancer", "model.C=2"],
    }


def an_interrupt_does_not_wait_for_stages(shell: Shell) -> None:
    """Ctrl-C and SIGTERM end a run with 130 at once, also while stages run in threads."""
    for name, text in FOREVER.items():
        file = shell.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for number in (signal.SIGINT, signal.SIGTERM):
        command = [sys.executable, "-m", "flows.train", "+experiment=forever", "tracker=none"]
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT), str(shell.folder)])
        process = subprocess.Popen(
            command, cwd=shell.folder, env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        waiting = {"left waits", "right waits"}
        for line in process.stderr:
            waiting = {told for told in waiting if told not in line}
            if not waiting:
                break
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)  # the stages would take 600 seconds
        assert process.returncode == 130
        assert out.strip().splitlines()[-1] == "python -m flows.train +experiment=forever tracker=none"
        record = shell.records()[-1]
        assert record["state"] == "interrupted"
        assert {stage["name"]: stage["state"] for stage in record["stages"]} == {
            "left": "failed", "right": "failed", "both": "skipped"
        }  # fmt: skip


def stop_stops_it(shell: Shell) -> None:
    """`headrace server stop` ends the server, and `status` then says how one starts."""
    assert shell.headrace("server", "stop").stdout.strip() == "stopped"
    gone = shell.headrace("server", "status")
    assert gone.returncode == 1
    assert "a run starts one" in gone.stderr


def test_a_project_lives_on_its_own_server(shell: Shell) -> None:
    """From the first command to the last one, each step sees what the one before it left."""
    a_run_is_one_flow_run_with_a_task_run_a_stage(shell)
    wandb_has_the_run_offline(shell)
    the_server_can_be_asked_for(shell)
    the_same_again_makes_no_flow_run(shell)
    the_deployed_flow_trains_in_its_own_flow_run(shell)
    an_interrupt_does_not_wait_for_stages(shell)
    stop_stops_it(shell)
