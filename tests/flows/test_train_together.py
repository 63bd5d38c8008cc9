"""Commands that meet: two at the same moment, and one after another was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

STAGES = """
import os
from pathlib import Path


def _note(stage):
    with open("calls.txt", "a") as file:
        file.write(stage + "\\n")


def one(source: Path):
    _note("one")
    return {"rows": [int(x) for x in source.read_text().split()]}


def two(rows: list):
    _note("two")
    return {"rows": [x * 2 for x in rows]}


def three(rows: list):
    _note("three")
    return {"rows": [x + 1 for x in rows]}


def four(rows: list):
    _note("four")
    if Path("kill").exists():
        os.kill(os.getpid(), 9)
    return {"total": {"sum": sum(rows)}}
"""
EXPERIMENT = """
# @package _global_
defaults:
  - override /lake: embedded
  - override /tracker: none
  - override /runtime: inline
name: four
stages:
  one: {call: four_stages.one, inputs: {source: "file:data.txt"}, outputs: {rows: first}}
  two: {call: four_stages.two, inputs: {rows: first}, outputs: {rows: second}}
  three: {call: four_stages.three, inputs: {rows: second}, outputs: {rows: third}}
  four: {call: four_stages.four, inputs: {rows: third}, outputs: {total: total}}
"""
COMMAND = [sys.executable, "-m", "flows.train", "+experiment=four", "pipeline=bare"]


@pytest.fixture
def four(project: Path) -> Path:
    """A project with a chain of four stages that note their calls."""
    for name, text in (("experiment/four", EXPERIMENT), ("pipeline/bare", "pipeline: bare\n")):
        file = project / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(dedent(text).lstrip() if name != "pipeline/bare" else f"# @package _global_\n{text}")
    (project / "four_stages.py").write_text(STAGES)
    (project / "data.txt").write_text("1 2 3")
    return project


def environment(project: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), str(project)])}


def start(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        COMMAND, env=environment(project), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def calls(project: Path) -> list[str]:
    return (project / "calls.txt").read_text().split()


def records(project: Path) -> list[dict[str, Any]]:
    runs = sorted((project / ".headrace" / "runs").iterdir())
    return [json.loads((run / "run.json").read_text()) for run in runs]


def test_two_identical_commands_at_the_same_moment(four: Path) -> None:
    """Each stage executes once, and both commands succeed."""
    both = [start(four), start(four)]
    said = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sorted(calls(four)) == ["four", "one", "three", "two"]
    states = {stage["state"] for record in records(four) for stage in record["stages"]}
    assert states <= {"ran", "cached"}


def test_a_kill_in_the_fourth_stage_leaves_three(four: Path) -> None:
    """After SIGKILL the same command finds three stages cached, and only the fourth runs."""
    (four / "kill").touch()
    killed = start(four)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    (four / "kill").unlink()
    again = start(four)
    out, err = again.communicate()
    assert again.returncode == 0, out + err
    assert calls(four) == ["one", "two", "three", "four", "four"]
    dead, done = records(four)
    assert (dead["state"], dead["error"]) == ("interrupted", "killed")
    assert [stage["state"] for stage in done["stages"]] == ["cached"] * 3 + ["ran"]


def test_a_failed_run_ends_with_the_command_that_resumes_it(four: Path) -> None:
    """The last line is that command, and it works as it stands."""
    line = 'if Path("kill").exists():\n        os.kill(os.getpid(), 9)'
    assert line in STAGES
    text = STAGES.replace(line, "raise ValueError(rows)")
    (four / "four_stages.py").write_text(text)
    failed = start(four)
    out, _ = failed.communicate()
    assert failed.returncode == 1
    last = out.strip().splitlines()[-1]
    assert last == "python -m flows.train +experiment=four pipeline=bare"
    (four / "four_stages.py").write_text(STAGES)
    resumed = start(four)
    out, err = resumed.communicate()
    assert resumed.returncode == 0, out + err
    # The module changed, so every stage in it runs again but for what comes out the same.
    assert records(four)[-1]["state"] == "succeeded"
