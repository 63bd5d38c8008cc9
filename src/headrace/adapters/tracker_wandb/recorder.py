"""The process that holds W&B's client, as the run sees it.

Importing the client and opening a run take about 1.5 s of one core. A thread would take them from
the stages (they hold the interpreter's lock), so `recording.py` does them in another process,
which also keeps the command line, the console and the signals of the run out of the client's reach.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

log = logging.getLogger(__name__)

COMMAND = [sys.executable, "-P", "-m", "headrace.adapters.tracker_wandb.recording"]
ATTACH_AT_MOST_BYTES = 50 * 1024 * 1024
JOURNAL = "commands.jsonl"

_waiting: dict[Path, Recorder] | None = None  # by folder: done with a run of this process


def keep_recorders() -> None:
    """Let recorders wait for the next run of this process, which has many, instead of ending."""
    global _waiting
    _waiting = {} if _waiting is None else _waiting


def warm_recorder(folder: Path) -> None:
    """Start a recorder for the next run of this process, where recorders are kept."""
    if _waiting is not None and folder not in _waiting:
        _waiting[folder] = Recorder(folder)


def find_recorder(folder: Path) -> Recorder:
    """Return a recorder that waits, or a new one. Raises `OSError` where none starts."""
    found = None if _waiting is None else _waiting.pop(folder, None)
    return found if found is not None and found.alive else Recorder(folder)


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that imports this very package."""
    source = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    return {**more, **os.environ, "PYTHONPATH": path}


class Recorder:
    """One process with its two pipes; a thread serves each, so that nobody waits.

    `info` says what W&B calls the run and where it is; `offline` that it could not be opened online;
    `did` counts what of the list given to `finish` was done there.
    """

    def __init__(self, folder: Path) -> None:
        self.info: dict[str, Any] = {}
        self.offline = False
        self.did = 0
        self._folder = folder
        self._closed = False
        self._failed = ""
        self._spool = folder / "spool"  # until a run has its own below it
        self._journal: TextIO | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            # Files of offline artifacts belong to the project, not to the user's home.
            env=child_environment({"WANDB_DATA_DIR": str(folder / "data")}),
            start_new_session=True,  # Ctrl-C is for the run, which then says how it ended
        )
        self._serving = [
            threading.Thread(target=serve, name=f"wandb{serve.__name__}", daemon=True)
            for serve in (self._write, self._read)
        ]
        for thread in self._serving:
            thread.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, start: Mapping[str, Any]) -> None:
        """Open a run. One that is online keeps a journal, from which it can be told again offline."""
        self.info, self.offline, self.did, self._failed = {"id": start["id"]}, False, 0, ""
        self._spool = Path(start["spool"])
        if start["mode"] == "online":
            self._journal = (self._spool / JOURNAL).open("w", encoding="utf-8")
        self._done.clear()
        if not self.alive:
            self._done.set()  # the reader has left already
        self._put(start)

    def send(self, command: Mapping[str, Any]) -> None:
        if self._closed:
            return
        line = self._put(command)
        if self._journal is not None:
            self._journal.write(line)

    def _put(self, command: Mapping[str, Any]) -> str:
        line = json.dumps(command, default=_plain) + "\n"
        self._lines.put(line)
        return line

    def keep(self, name: str, files: Mapping[str, Path]) -> dict[str, str]:
        """Copy files, for the recorder may be busy until after they are gone."""
        size = sum(path.stat().st_size for path in files.values())
        if size > ATTACH_AT_MOST_BYTES:
            log.warning("W&B: %s is missing in the log: %d bytes are no small files.", name, size)
            return {}
        copies: dict[str, str] = {}
        for inside, path in files.items():
            copy = self.room(name, inside)
            shutil.copyfile(path, copy)
            copies[inside] = str(copy)
        return copies

    def room(self, name: str, inside: str) -> Path:
        """Return where a file of an artifact may lie until it is logged."""
        place = self._spool / name / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def finish(self, wait_seconds: float) -> str:
        """Wait until all of the run is written, or for so long; return why it is not, '' where it is.

        Then the process ends, or waits for another run.
        """
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if _waiting is None:
            self._close()
        if not self._done.wait(wait_seconds):
            self._close()
            return f"no answer in {wait_seconds:.0f} s"
        if self._failed:
            self._close()
        elif _waiting is not None and self.alive:
            _waiting[self._folder] = self
        return self._failed

    def replay(self) -> Iterator[dict[str, Any]]:
        """Yield what was sent of the last run."""
        with (self._spool / JOURNAL).open(encoding="utf-8") as journal:
            for line in journal:
                yield json.loads(line)

    def kill(self) -> None:
        """End the process and W&B's own service, which is its child."""
        self._closed = True
        self._lines.put(None)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._serving:
            thread.join(timeout=5)

    def _close(self) -> None:
        self._closed = True
        self._lines.put(None)

    def _write(self) -> None:
        assert self._process.stdin is not None
        # Where the recorder is gone, writing and closing fail; the reader says so.
        with contextlib.suppress(OSError), self._process.stdin as stream:
            while (line := self._lines.get()) is not None:
                stream.write(line)
                stream.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._take(json.loads(line))
        with self._errors as errors:
            errors.seek(0)
            said = errors.read().strip().splitlines()
        if not self._done.is_set() and not self._closed_by_kill():
            self._failed = f"the recorder ended early. {said[-1] if said else ''}".rstrip()
        self._process.wait()
        self._done.set()

    def _closed_by_kill(self) -> bool:
        return self._process.wait() == -signal.SIGKILL and self._closed

    def _take(self, report: Mapping[str, Any]) -> None:
        if "info" in report:
            self.info = _shown(report["info"])
        elif "offline" in report:
            self.offline = True
        elif "warning" in report:
            log.warning("W&B: %s", report["warning"])
        elif "did" in report:
            self.did = report["did"]
        elif "done" in report:
            self._failed = report["failed"]
            self._done.set()


def _shown(info: dict[str, Any]) -> dict[str, Any]:
    """Say a folder below the current one as people would type it."""
    if "dir" in info and Path(info["dir"]).is_relative_to(Path.cwd()):
        return {**info, "dir": str(Path(info["dir"]).relative_to(Path.cwd()))}
    return info


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
