"""The shell's way into a flow: what it leaves when nobody reads, and how it greets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from headrace.entry import BROKEN_PIPE

ROOT = Path(__file__).parents[1]


def call(code: str, stdout: int) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


def test_a_reader_that_left_is_no_error(project: Path) -> None:
    """`| head` has seen enough: no traceback, also where all that was printed still waits in the buffer."""
    reading, writing = os.pipe()
    os.close(reading)
    done = call("from headrace.entry import run; run(lambda: print('a line'))", writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")


def test_help_says_what_the_command_does(project: Path) -> None:
    """`--help` names neither the module that calls Hydra nor Hydra first."""
    done = call(
        "import sys; sys.argv[1:] = ['--help']; from flows.train import main; main()", subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Train a model. To choose what, add +experiment=<name>."
