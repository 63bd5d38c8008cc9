"""The code of a past run: out of git where it came from there, else what is installed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.adapters.git_state import checked_out, git_root
from headrace.core.record import RunRecord
from headrace.errors import CannotReproduce
from headrace.reproduce.environment import code_differences, is_installed


def compare_code(record: RunRecord) -> list[str]:
    """Return what is to be told of code that does not come from git: modules that are not those of the run.

    Raises `CannotReproduce` where the run's code is in a git repository that is not here, and what is here
    is not the same.
    """
    commit, top = record.git.get("commit"), git_root()
    found = code_differences(record, leave_out=top.resolve() if commit and top else None)
    if not commit:
        return found
    if top is None:
        if found:
            raise CannotReproduce(
                f"the code of run {record.id} is git commit {commit}, and here is no git checkout;\n"
                f"  go to a clone of that repository. Here the {', the '.join(found)}"
            )
        return []
    if why := record.git.get("unread"):
        found.append(f"changes that were not committed are not known ({why})")
    if left_out := record.git.get("left_out"):
        found.append(f"{left_out} new files that git did not track were not kept (data, large or many)")
    return found


@contextmanager
def code_of(record: RunRecord, kept: Path, target: Path) -> Iterator[list[Path]]:
    """Give the folders in which the run's code is found: of a worktree, or here where there is no git.

    `kept` is the folder with the changes that the run had, `target` where the worktree is made. It is
    removed afterwards, whatever happened, and a second Ctrl-C does not stop that.
    """
    top = git_root()
    if not record.git.get("commit") or top is None:
        yield [Path.cwd(), Path.cwd() / "src"]
        return
    here = Path.cwd().resolve()
    places = [here, here / "src", *_own_places(top.resolve())]
    with checked_out(record.git, kept, target, deaf) as tree:
        yield list(dict.fromkeys(tree / place.relative_to(top.resolve()) for place in places))


def _own_places(top: Path) -> list[Path]:
    """Return where this process looks for modules inside the checkout, such as packages in editable mode."""
    found = [Path(entry).resolve() for entry in sys.path if entry]
    return [place for place in found if place.is_relative_to(top) and not is_installed(place)]


@contextmanager
def deaf() -> Iterator[None]:
    """Ignore interrupts, also in processes started meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
