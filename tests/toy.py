"""A small project whose stages count their calls, and a runtime of threads, for the tests of runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from headrace.assemble import Prepared, prepare
from headrace.config.compose import compose
from headrace.core.ports import StageTask
from headrace.core.record import RunRecord
from headrace.run import run_job
from headrace.tell import LineDisplay

CODE = """
import json
from pathlib import Path
import toy_helper

CALLS = []

def load(source: Path):
    CALLS.append("load")
    return {"rows": [int(x) for x in source.read_text().split()]}

def double(rows: list, factor: int = 2):
    CALLS.append("double")
    return {"doubled": [toy_helper.scale(x, factor) for x in rows]}

def count(rows: list):
    CALLS.append("count")
    return {"count": {"n": len(rows)}}

def judge(doubled: list, count: dict, limit: int = 100):
    CALLS.append("judge")
    total = sum(doubled)
    check = {"metric": "total", "rule": "max", "wanted": limit, "found": total, "passed": total <= limit}
    return {"gate": {"passed": check["passed"], "checks": [check]}, "metrics": {"total": total}}

def pack(doubled: list, gate: dict):
    CALLS.append("pack")
    return {"model": {"weights": doubled}}
"""
CONF = """
# @package _global_
defaults:
  - override /lake: embedded
  - override /tracker: none
  - override /runtime: inline
name: toy
stages:
  load: {call: toy_stages.load, inputs: {source: "file:data.txt"}, outputs: {rows: rows}}
  double: {call: toy_stages.double, params: {factor: 2}, inputs: {rows: rows}, outputs: {doubled: doubled}}
  count: {call: toy_stages.count, inputs: {rows: rows}, outputs: {count: count}}
  judge:
    call: toy_stages.judge
    params: {limit: 100}
    inputs: {doubled: doubled, count: count}
    outputs: {gate: gate, metrics: metrics}
  pack: {call: toy_stages.pack, inputs: {doubled: doubled, gate: gate}, outputs: {model: model}}
"""
PIPELINE = """
# @package _global_
pipeline: bare
publish: {model: "${name}", package: model, gate: gate, alias: production}
"""


class Toy:
    """A project whose stages count their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = CODE
        self.helper = "def scale(x, factor):\n    return x * factor\n"

    def write(self) -> None:
        for name in ("toy_stages", "toy_helper"):
            sys.modules.pop(name, None)
        (self.folder / "toy_stages.py").write_text(self.code)
        (self.folder / "toy_helper.py").write_text(self.helper)

    def prepare(self, *overrides: str) -> Prepared:
        words = ["+experiment=toy", "pipeline=bare", *overrides]
        return prepare(compose("train", words), words, flow="train")

    def run(self, *overrides: str) -> tuple[RunRecord, list[str]]:
        """Run, and return the record and the calls that it took."""
        self.write()
        prepared = self.prepare(*overrides)
        record = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
        module = sys.modules.get("toy_stages")
        return record, sorted(module.CALLS) if module else []


@pytest.fixture
def toy(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    (project / "conf" / "experiment").mkdir(parents=True)
    (project / "conf" / "pipeline").mkdir()
    (project / "conf" / "experiment" / "toy.yaml").write_text(dedent(CONF).lstrip())
    (project / "conf" / "pipeline" / "bare.yaml").write_text(dedent(PIPELINE).lstrip())
    (project / "data.txt").write_text("1 2 3")
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # edits within one second must be seen
    made = Toy(project)
    made.write()
    yield made
    for name in ("toy_stages", "toy_helper"):
        sys.modules.pop(name, None)


def states(record: RunRecord) -> dict[str, str]:
    return {stage.name: stage.state for stage in record.stages}


class Threads:
    """A runtime whose stages run side by side in threads, and that may raise after its body."""

    def __init__(self, afterwards: BaseException | None = None) -> None:
        self._pool = ThreadPoolExecutor(4)
        self._afterwards = afterwards

    def warm_up(self) -> None:
        pass

    def run(self, name: str, body: Callable[[], object], parameters: object, plan_markdown: str) -> object:
        with self._pool:
            result = body()
        if self._afterwards is not None:
            raise self._afterwards
        return result

    def submit(self, task: StageTask) -> Future[dict[str, Any]]:
        return self._pool.submit(task.execute)

    def info(self) -> dict[str, Any]:
        return {}


def run_on(runtime: Threads, prepared: Prepared) -> RunRecord:
    job = replace(prepared.job, runtime=lambda: runtime)
    return run_job(job, prepared.plan, LineDisplay(sys.stderr))
