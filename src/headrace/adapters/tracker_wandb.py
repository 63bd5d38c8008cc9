"""Runs in Weights & Biases, logged by a process of their own.

Importing the client and opening a run take about 1.5 s of one core. A thread would take them from
the stages (they hold the interpreter's lock), so `wandb_recorder.py` does them in another process,
which also keeps the command line, the console and the signals of the run out of the client's reach.
"""

from __future__ import annotations

import contextlib
import json
import logging
import netrc
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from headrace.core.secrets import without_secrets

log = logging.getLogger(__name__)

RECORDER = Path(__file__).with_name("wandb_recorder.py")
MODES = ("auto", "online", "offline", "disabled")
ATTACH_AT_MOST_BYTES = 50 * 1024 * 1024
# How long `finish` waits before it leaves the recorder to end by itself: uploads take their time.
WAIT_SECONDS = {"offline": 20.0, "online": 60.0}


class WandbTracker:
    """Logs one run to W&B, offline where there is no key. No call but `finish` waits for anything.

    `log` and `attach` may be called from several threads. Values under names of secrets are
    replaced once more before they leave the process.

    Args:
        project: the W&B project.
        entity: the user or team; None is the key's own.
        mode: `auto` is online where a key is found (`WANDB_API_KEY`, or netrc), else offline;
            `disabled` logs nothing. The environment's `WANDB_MODE` wins over it.
        dir: the folder for runs; below it also lie the files of offline artifacts.
    """

    def __init__(
        self,
        project: str,
        entity: str | None = None,
        mode: Literal["auto", "online", "offline", "disabled"] = "auto",
        dir: str | Path = ".headrace/wandb",  # noqa: A002 - W&B's own word for it
    ) -> None:
        self._project = project
        self._entity = entity
        self._folder = Path(dir).absolute()
        self._mode = choose_mode(mode, os.environ)
        self._recorder: _Recorder | None = None
        self._finished = False

    def warm_up(self) -> None:
        if self._mode != "disabled" and _waiting is not None and self._folder not in _waiting:
            _waiting[self._folder] = _Recorder(self._folder)

    def start(
        self,
        run_id: str,
        experiment: str,
        config: Mapping[str, Any],
        tags: Sequence[str],
        group: str | None = None,
    ) -> None:
        if self._mode == "disabled" or self._recorder is not None:
            return
        wandb_id = re.sub(r"[^\w.-]", "-", run_id)
        named_by_wandb = self._folder.name == "wandb"  # the client appends this name to its root
        start = {
            "mode": self._mode,
            "project": self._project,
            "entity": self._entity,
            "id": wandb_id,
            "name": run_id,
            "config": without_secrets(dict(config)),
            "tags": [tag[:64] for tag in tags],  # W&B's limit
            "group": group or experiment,
            "root_dir": str(self._folder.parent if named_by_wandb else self._folder),
            "spool": str(self._folder / "spool" / wandb_id),
        }
        try:
            Path(start["spool"]).mkdir(parents=True, exist_ok=True)
            self._recorder = _find_recorder(self._folder)
        except OSError as error:
            log.warning("W&B: the run is not logged, its recorder does not start: %s", error)
        else:
            self._recorder.begin(start)

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self._recorder is not None:
            self._recorder.send({"op": "log", "metrics": without_secrets(dict(metrics)), "step": step})

    def attach(self, name: str, kind: str, files: Mapping[str, Path], metadata: Mapping[str, Any]) -> None:
        if self._recorder is None:
            return
        try:
            copies = self._recorder.keep(name, files)
        except OSError as error:
            log.warning("W&B: %s is missing in the log: %s", name, error)
            return
        if copies:
            self._recorder.send(
                {
                    "op": "attach",
                    "name": re.sub(r"[^\w.-]", "-", name)[:128],
                    "kind": kind,
                    "files": copies,
                    "metadata": without_secrets(dict(metadata)),
                }
            )

    def finish(self, state: str, summary: Mapping[str, Any]) -> None:
        if self._recorder is None or self._finished:
            return
        self._finished = True
        figures = without_secrets({**summary, "state": state})
        exit_code = 0 if state in ("succeeded", "rejected", "pruned") else 1
        self._recorder.send({"op": "finish", "summary": figures, "exit_code": exit_code})
        self._recorder.finish(WAIT_SECONDS[self._mode])

    def info(self) -> dict[str, Any]:
        return {} if self._recorder is None else dict(self._recorder.info)


def choose_mode(mode: str, environ: Mapping[str, str]) -> str:
    """Return `online`, `offline` or `disabled`; what nobody knows is `auto`, with a warning."""
    chosen = environ.get("WANDB_MODE") or mode
    if environ.get("WANDB_DISABLED", "").lower() in ("true", "1"):
        chosen = "disabled"
    chosen = {"dryrun": "offline", "run": "online", "shared": "online"}.get(chosen, chosen)
    if chosen not in MODES:
        log.warning("W&B: the mode %r is none of %s: taking auto.", chosen, ", ".join(MODES))
        chosen = "auto"
    if chosen == "auto":
        return "online" if _has_key(environ) else "offline"
    return chosen


def _has_key(environ: Mapping[str, str]) -> bool:
    if environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    home = Path(environ.get("HOME") or Path.home())
    places = [Path(environ["NETRC"])] if environ.get("NETRC") else [home / ".netrc", home / "_netrc"]
    for place in places:
        try:
            if host in netrc.netrc(str(place)).hosts:
                return True
        except (OSError, netrc.NetrcParseError):
            continue  # W&B could not read its key there either
    return False


_waiting: dict[Path, _Recorder] | None = None  # by folder: done with a run of this process


def keep_recorders() -> None:
    """Let recorders wait for the next run of this process, which has many, instead of ending."""
    global _waiting
    _waiting = {} if _waiting is None else _waiting


def _find_recorder(folder: Path) -> _Recorder:
    found = None if _waiting is None else _waiting.pop(folder, None)
    return found if found is not None and found.alive else _Recorder(folder)


class _Recorder:
    """The recorder's process with its two pipes; a thread serves each, so that nobody waits."""

    def __init__(self, folder: Path) -> None:
        self.info: dict[str, Any] = {}
        self._folder = folder
        self._closed = False
        self._spool = folder / "spool"  # until a run has its own below it
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(RECORDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            # Files of offline artifacts belong to the project, not to the user's home.
            env={"WANDB_DATA_DIR": str(folder / "data"), **os.environ},
            start_new_session=True,  # Ctrl-C is for the run, which then says how it ended
        )
        for serve in (self._write, self._read):
            threading.Thread(target=serve, name=f"wandb{serve.__name__}", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, start: dict[str, Any]) -> None:
        self.info = {"id": start["id"]}
        self._spool = Path(start["spool"])
        self._done.clear()
        if not self.alive:
            self._done.set()  # the reader has left already
        self.send(start)

    def send(self, command: Mapping[str, Any]) -> None:
        if not self._closed:
            self._lines.put(json.dumps(command, default=_plain) + "\n")

    def keep(self, name: str, files: Mapping[str, Path]) -> dict[str, str]:
        """Copy files, for the recorder may be busy until after they are gone."""
        size = sum(path.stat().st_size for path in files.values())
        if size > ATTACH_AT_MOST_BYTES:
            log.warning("W&B: %s is missing in the log: %d bytes are no small files.", name, size)
            return {}
        copies: dict[str, str] = {}
        for inside, path in files.items():
            copy = self._spool / name / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copies[inside] = str(copy)
        return copies

    def finish(self, wait_seconds: float) -> None:
        """Wait until all of the run is written, or for so long; then end, or wait for another run."""
        if _waiting is None:
            self._close()
        if not self._done.wait(wait_seconds):
            self._close()
            log.warning(
                "W&B: still writing after %.0f s; process %d ends by itself when it is done.",
                wait_seconds, self._process.pid,
            )  # fmt: skip
        elif _waiting is not None and self.alive:
            _waiting[self._folder] = self

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
                report = json.loads(line)
                if "info" in report:
                    self.info = _shown(report["info"])
                elif "warning" in report:
                    log.warning("W&B: %s", report["warning"])
                elif "done" in report:
                    self._done.set()
        with self._errors as errors:
            errors.seek(0)
            said = errors.read().strip().splitlines()
        if not self._done.is_set():
            log.warning("W&B: the recorder ended early, the log is incomplete. %s", said[-1] if said else "")
        self._process.wait()
        self._done.set()


def _shown(info: dict[str, Any]) -> dict[str, Any]:
    """Say a folder below the current one as people would type it."""
    if "dir" in info and Path(info["dir"]).is_relative_to(Path.cwd()):
        return {**info, "dir": str(Path(info["dir"]).relative_to(Path.cwd()))}
    return info


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
