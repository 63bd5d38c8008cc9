"""A small project to sweep: its stages write their calls down, and a test may put code into one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, TypeVar

import pytest
from hydra.core.global_hydra import GlobalHydra

from flows.train import main
from headrace.adapters.sweep_files import SweepFiles
from headrace.config import folders
from headrace.core.sweep import SweepRecord, TrialRecord
from headrace.sweeps.job import forget

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0  # for what must come

STAGES = """
import os
import signal
import time
from pathlib import Path

def note(word):
    with Path("calls.txt").open("a") as file:
        file.write(f"{word}\\n")

def wait_for(name):
    Path(f"waits-{os.getpid()}").touch()
    while not Path(name).exists():
        time.sleep(0.01)

def load(source: Path):
    note("load")
    return {"rows": [int(x) for x in source.read_text().split()]}

def split(rows: list):
    note("split")
    return {"part": rows}

def fit(part: list, model: dict, context):
    C, depth = model.get("C", 1), model.get("depth", 0)
    note(f"fit C={C} depth={depth}" if depth else f"fit C={C}")
#HERE
    return {"weights": [C * x + depth for x in part]}

def judge(weights: list, limit: float = 1000):
    total = sum(weights)
    check = {"metric": "score", "rule": "max", "wanted": limit, "found": total, "passed": total <= limit}
    metrics = {"score": total, "loss": abs(total - 12)}
    return {"gate": {"passed": check["passed"], "checks": [check]}, "metrics": metrics}

def pack(weights: list, gate: dict):
    return {"package": {"weights": weights}}
"""
CONF = {
    "experiment/lab": """
        # @package _global_
        defaults:
          - override /lake: embedded
          - override /tracker: none
          - override /runtime: inline
          - override /model: line
          - override /pipeline: bare
        name: lab
        stages:
          load: {call: lab_stages.load, inputs: {source: "file:data.txt"}, outputs: {rows: rows}}
          split: {call: lab_stages.split, inputs: {rows: rows}, outputs: {part: part}}
          fit:
            call: lab_stages.fit
            params: {model: "${model}"}
            inputs: {part: part}
            outputs: {weights: weights}
          judge:
            call: lab_stages.judge
            params: {limit: 1000}
            inputs: {weights: weights}
            outputs: {gate: gate, metrics: metrics}
          pack: {call: lab_stages.pack, inputs: {weights: weights, gate: gate}, outputs: {package: package}}
        """,
    "pipeline/bare": """
        # @package _global_
        pipeline: bare
        publish: {model: "${name}", package: package, gate: gate, alias: production}
        """,
    "model/line": "C: 1\n",
    "model/curve": "C: 1\ndepth: 2\n",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


class Lab:
    """A project in the current folder."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.files = SweepFiles(folder / ".headrace" / "sweeps")
        self._capfd = capfd

    def write(self, here: str = "") -> None:
        """Write the stages; `here` is code for the middle of `fit`."""
        code = STAGES.replace("#HERE", indent(dedent(here), "    "))
        (self.folder / "lab_stages.py").write_text(code)

    def sweep(self, *words: str) -> Told:
        """Run `python -m flows.train -m +experiment=lab <words>`, as `train` does."""
        return self.train("-m", "+experiment=lab", *words)

    def train(self, *words: str) -> Told:
        """Run `python -m flows.train <words>` in this process, and leave no trace in it."""
        self._capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["flows/train.py", *words])
            patch.setenv("HYDRA_FULL_ERROR", "")
            handler = signal.getsignal(signal.SIGTERM)
            try:
                with pytest.raises(SystemExit) as left:
                    main()
            finally:
                signal.signal(signal.SIGTERM, handler)
                folders._used.clear()
                GlobalHydra.instance().clear()
        printed = self._capfd.readouterr()
        return Told(int(left.value.code or 0), printed.out, printed.err)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `python -m flows.train <words>` in a process and a session of its own."""
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), str(self.folder)])
        return subprocess.Popen(
            [sys.executable, "-m", "flows.train", *words],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def calls(self) -> Counter[str]:
        """Return how often each stage was called so far."""
        file = self.folder / "calls.txt"
        return Counter(file.read_text().splitlines() if file.exists() else [])

    def waiting(self) -> list[int]:
        """Return the processes whose stage waits for a file, or did."""
        return [int(file.name.removeprefix("waits-")) for file in self.folder.glob("waits-*")]

    @property
    def record(self) -> SweepRecord:
        """The record of the newest sweep."""
        return self.files.read(self.files.ids()[0])

    def trial(self, **params: Any) -> TrialRecord:
        """Return the one trial of the newest sweep with these params of the model."""
        wanted = {f"model.{name}": str(value) for name, value in params.items()}
        (found,) = (
            t
            for t in self.record.trials
            if wanted.items() <= {k: str(v) for k, v in t.params.items()}.items()
        )
        return found


@pytest.fixture
def lab(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Lab]:
    for name, text in CONF.items():
        file = project / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip())
    (project / "data.txt").write_text("1 2 3")
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # edits within one second must be seen
    made = Lab(project, capfd)
    made.write()
    yield made
    sys.modules.pop("lab_stages", None)
    folders._used.clear()  # of a job that ran in this process
    forget()


def until(look: Callable[[], T]) -> T:
    """Return the first true answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, also where nobody has waited for it. Needs `/proc`."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
