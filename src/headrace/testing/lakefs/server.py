"""The stand-in as a server: starts and stops it, and shows a test what happened."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from headrace.testing.lakefs.bodies import BodyStore
from headrace.testing.lakefs.connection import Listener
from headrace.testing.lakefs.dispatch import Dispatcher
from headrace.testing.lakefs.faults import Fault, FaultQueue
from headrace.testing.lakefs.lake import HOOK_EVENTS, Lake, Settings
from headrace.testing.lakefs.presign import FIELDS, Signer
from headrace.testing.lakefs.repository import Repository
from headrace.testing.lakefs.request import Request, RequestLog
from headrace.testing.lakefs.spec import Specification

ACCESS_KEY_ID = "AKIASTANDINSTANDIN00"
SECRET_ACCESS_KEY = "stand-in/secret/that/opens/nothing/at/all"
S3_MIN_PART_BYTES = 5 << 20
POLL_SECONDS = 0.02


class StandInServer:
    """A stand-in for a lakeFS server on a free port of 127.0.0.1; use it as a context manager.

    `folder` takes the bodies of objects; a temporary one is made and removed where it is None.
    `presign` and `multipart` say what `/config` offers; `spec` is lakeFS's swagger file, against
    which every request and answer is then checked. A part of an upload must have `min_part_bytes`,
    unless it is the last, and a presigned URL is good for `presign_seconds`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        presign: bool = True,
        multipart: bool = True,
        spec: Path | None = None,
        access_key_id: str = ACCESS_KEY_ID,
        secret_access_key: str = SECRET_ACCESS_KEY,
        min_part_bytes: int = S3_MIN_PART_BYTES,
        presign_seconds: float = 900,
    ) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.faults = FaultQueue()
        self.endpoint = ""
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        settings = Settings(
            presign=presign, multipart=multipart, min_part_bytes=min_part_bytes, committer="stand-in"
        )
        self._lake = Lake(BodyStore(), Signer(presign_seconds), settings)
        self._lock = threading.Lock()
        self._requests: list[RequestLog] = []
        self._violations: list[str] = []
        self.dispatcher = Dispatcher(
            self._lake,
            (access_key_id, secret_access_key),
            Specification.read(spec) if spec else None,
            self._complain,
        )
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="lakefs-stand-in-")
        self._lake.bodies.open(self._folder or Path(self._temporary.name if self._temporary else ""))
        self._listener = Listener(self)
        self.endpoint = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self.dispatcher.base_url = self.endpoint
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener and self._thread:
            self._listener.close()
            self._thread.join()
        if self._temporary:
            self._temporary.cleanup()

    # --- for tests ----------------------------------------------------------------------------

    def create_repository(self, name: str, namespace: str | None = None) -> Repository:
        """Create a repository without a request."""
        return self._lake.create_repository(name, namespace or f"local://{name}")

    def repository(self, name: str) -> Repository:
        """Return the model of a repository, to look into; hold its `lock` while requests may run."""
        return self._lake.repository(name)

    def body_path(self, repository: str, ref: str, path: str) -> Path:
        """Return the file with an object's bytes, for a test that damages or removes it."""
        model = self.repository(repository)
        with model.lock:
            address = model.entry(ref, path).physical_address
        return self._lake.bodies.path(self._lake.body_id(address))

    def fail_next(self, fault: Fault) -> None:
        """Let something go wrong with the next requests that the fault is meant for."""
        self.faults.add(fault)

    def add_hook(self, event: str, branch: str, message: str) -> None:
        """Let a hook say no to every commit (`pre-commit`) or merge (`pre-merge`) on a branch."""
        if event not in HOOK_EVENTS:
            raise ValueError(f"no such event: {event!r}; there are {', '.join(HOOK_EVENTS)}")
        self._lake.hooks.append((event, branch, message))

    def clear_hooks(self) -> None:
        self._lake.hooks.clear()

    @property
    def requests(self) -> list[RequestLog]:
        """What was asked so far, in the order of the answers."""
        with self._lock:
            return list(self._requests)

    @property
    def violations(self) -> list[str]:
        """Every request that no correct client sends, and every answer of ours that breaks the spec."""
        with self._lock:
            return list(self._violations)

    # --- for the parts of the server ----------------------------------------------------------

    def remember(self, request: Request, status: int, operation: str) -> None:
        """Log a request; the signature of a presigned URL is left out."""
        secret = (*FIELDS, "X-Signature")
        query = {name: value for name, value in request.pairs if name not in secret}
        log = RequestLog(
            method=request.method, path=request.path, query=query, status=status, operation_id=operation
        )
        with self._lock:
            self._requests.append(log)

    def _complain(self, problem: str) -> None:
        with self._lock:
            self._violations.append(problem)
