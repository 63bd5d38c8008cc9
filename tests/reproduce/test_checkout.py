"""The code of a past run, out of git."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.reproduce.checkout import code_of, deaf
from tests.toy import Toy, toy

__all__ = ["toy"]


def git(*words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *words], check=True, timeout=60
    )


def test_code_is_found_where_this_process_finds_it(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the checkout on the path is the worktree's in its place; an environment inside is not."""
    for name in ("libs/own", ".venv/lib/site-packages"):
        folder = toy.folder / name
        folder.mkdir(parents=True)
        (folder / "module.py").write_text("")
        monkeypatch.syspath_prepend(str(folder))
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    record, _ = toy.run()
    with code_of(record, tmp_path / "kept", tmp_path / "tree") as places:
        assert places == [tmp_path / "tree" / name for name in ("", "src", "libs/own")]
        assert (places[-1] / "module.py").is_file()


def test_outside_of_git_it_is_what_is_here(toy: Toy, tmp_path: Path) -> None:
    """The project's folder, and its `src`."""
    record, _ = toy.run()
    with code_of(record, tmp_path, tmp_path / "tree") as places:
        assert places == [toy.folder, toy.folder / "src"]


def test_tidying_up_cannot_be_interrupted() -> None:
    """A second Ctrl-C is not heard, also by a process that is started meanwhile; later ones are."""
    before = signal.getsignal(signal.SIGINT)
    with deaf():
        signal.raise_signal(signal.SIGINT)
        kill = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
        done = subprocess.run([sys.executable, "-c", kill], capture_output=True, check=True, env=os.environ)
        assert done.stdout == b"alive\n"
    assert signal.getsignal(signal.SIGINT) is before
