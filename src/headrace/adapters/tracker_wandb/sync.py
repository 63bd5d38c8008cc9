"""Do in W&B what a run left to do: send its log, then aliases, links and whatever else, in their order.

Each entry of `run.json` is safe to repeat, and is marked as done by itself: a sync that was killed goes on
where it was, and a second one finds nothing to do.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.adapters.tracker_wandb.mode import has_key
from headrace.adapters.tracker_wandb.opening import DELETED
from headrace.adapters.tracker_wandb.pending import told
from headrace.adapters.tracker_wandb.recorder import child_environment
from headrace.adapters.tracker_wandb.staged import check_staged, discard_staged, read_artifacts
from headrace.core.record import RunRecord
from headrace.errors import SyncError

Other = Callable[[RunRecord, dict[str, Any]], str]
"""Does one entry for a run, and says what was done. Raises `SyncError`."""

ANSWER_WITHIN_SECONDS = 120.0
# The client asks a server that refuses or fails for hours, else.
FEW_TRIES = {"WANDB_X_GRAPHQL_RETRY_MAX": "4", "WANDB_X_FILE_TRANSFER_RETRY_MAX": "6"}
FEW_TRIES |= {"WANDB_X_FILE_STREAM_RETRY_MAX": "6"}
SERVER = [sys.executable, "-P", "-m", "headrace.adapters.tracker_wandb.there"]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a sync came to for one run."""

    run: str
    did: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    url: str | None = None
    error: str | None = None


def pending_of(record: RunRecord) -> list[dict[str, Any]]:
    return list(record.wandb.get("pending") or [])


def leave_last(
    run_id: str,
    folder: Path,
    entry: Mapping[str, Any],
    read: Callable[[str], RunRecord],
    write: Callable[[RunRecord], None],
    remove: bool = False,
) -> None:
    """Let a run leave one more thing to do, after all others, or with `remove` that no longer."""
    with _one_at_a_time(folder):
        record = read(run_id)
        before = pending_of(record)
        others = [one for one in before if one != entry]
        after = others if remove else [*others, dict(entry)]
        if after != before:
            record.wandb["pending"] = after
            write(record)


class Syncer:
    """Syncs runs, one after the other, over one connection. Close it, or use it with `with`.

    Args:
        read: reads a run's record.
        write: writes it, atomically.
        seconds: how long the log of one run may take to be sent.
        others: does entries of kinds that are not the tracker's, by kind.
    """

    def __init__(
        self,
        read: Callable[[str], RunRecord],
        write: Callable[[RunRecord], None],
        seconds: float,
        others: Mapping[str, Other] | None = None,
    ) -> None:
        self._read = read
        self._write = write
        self._seconds = seconds
        self._others = dict(others or {})
        self._server: _Server | None = None

    def __enter__(self) -> Syncer:
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()

    def sync(self, run_id: str, folder: Path) -> Outcome:
        """Do what a run left to do; `folder` is that of its record. Trouble is told in the outcome."""
        outcome = Outcome(run=run_id)
        with _one_at_a_time(folder):
            record = self._read(run_id)
            try:
                self._sync(record, outcome)
            except SyncError as error:
                outcome.error = str(error)
            outcome.left = [told(entry) for entry in pending_of(record)]
            outcome.url = record.wandb.get("url")
        return outcome

    def _sync(self, record: RunRecord, outcome: Outcome) -> None:
        if record.state == "running":
            raise SyncError(f"run {record.id} has not ended")
        while pending := pending_of(record):
            entry = pending[0]
            sent: list[dict[str, Any]] = []
            if entry["kind"] == "run":
                sent = read_artifacts(Path(entry["dir"]))
                said = self._send_run(record, Path(entry["dir"]), sent)
            elif entry["kind"] in self._others:
                self._path(record)
                said = self._others[entry["kind"]](record, entry)
            else:
                said = str(self._ask({"ask": "entry", "path": self._path(record), "entry": entry}))
            record.wandb["pending"] = pending[1:]
            record.wandb["done"] = [*record.wandb.get("done", []), entry]
            self._write(record)
            outcome.did.append(said)
            discard_staged(sent)

    def _path(self, record: RunRecord) -> str:
        """Return `entity/project/id`; where nobody named an entity it is the key's own, from now on."""
        about = record.wandb
        if not about.get("entity"):
            about["entity"] = self._ask({"ask": "entity", "entity": None})
        return f"{about['entity']}/{about['project']}/{about['id']}"

    def _send_run(self, record: RunRecord, folder: Path, artifacts: list[dict[str, Any]]) -> str:
        """Send a log whose files are all there, and ask whether all of it arrived."""
        if any(folder.glob("*.wandb.synced")):  # an earlier sync sent it, and may have died after that
            with suppress(SyncError):
                return self._check_run(record, artifacts)
        check_staged(artifacts)
        self._path(record)
        said = self._run_client(folder, record)
        if DELETED in " ".join(said.split()):
            # The client can send a log under another id, but its artifacts keep naming the old one.
            found = f"{record.wandb['id']} was deleted in W&B, which never gives an id again"
            raise SyncError(f"{found}; to log the run anew, run it again")
        try:
            return self._check_run(record, artifacts)
        except SyncError as error:
            raise SyncError(f"{error}\nW&B said: {said}" if said else str(error)) from error

    def _check_run(self, record: RunRecord, artifacts: list[dict[str, Any]]) -> str:
        path = self._path(record)
        request = {"ask": "run", "path": path, "state": record.state, "artifacts": artifacts}
        record.wandb["url"] = self._ask(request)
        return f"the server has {path}, with {len(artifacts)} artifacts"

    def _run_client(self, folder: Path, record: RunRecord) -> str:
        """Let W&B's client send a log; return what it says. Its exit code is 0 whatever becomes of it."""
        about = record.wandb
        words = ["sync", "-n", "1", "--include-online", "--include-synced", "--id", about["id"]]
        words += ["--project", about["project"], "--entity", about["entity"], str(folder)]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "wandb", *words],
                capture_output=True,
                text=True,
                env=_online_environment(),
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SyncError(f"{folder} was not sent in {self._seconds:.0f} s") from error
        return f"{done.stdout}\n{done.stderr}".strip()

    def _ask(self, request: dict[str, Any]) -> Any:
        if self._server is None:
            if not has_key(os.environ):
                raise SyncError("there is no key for W&B here; type: wandb login")
            self._server = _Server()
        return self._server.ask(request)


class _Server:
    """The process that talks to W&B's server."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            SERVER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_online_environment(),
        )
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer. Raises `SyncError` for a refusal, and where none comes in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=ANSWER_WITHIN_SECONDS)
        except (OSError, queue.Empty) as error:
            self._process.kill()
            raise SyncError("W&B's server does not answer") from error
        if line is None:
            raise SyncError("W&B's client ended early")
        answer = json.loads(line)
        if "error" in answer:
            raise SyncError(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the process. W&B's service, its child, ends with it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put(None)


def _online_environment() -> dict[str, str]:
    """Return the environment without what would keep W&B's client from sending."""
    found = child_environment(FEW_TRIES)
    return {name: value for name, value in found.items() if name not in ("WANDB_MODE", "WANDB_DISABLED")}


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a run for this process; freed when it dies."""
    with (folder / "sync.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
