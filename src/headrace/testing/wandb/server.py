"""The stand-in as a server: starts and stops it, and shows a test what happened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from headrace.testing.wandb.connection import Listener
from headrace.testing.wandb.faults import FaultQueue
from headrace.testing.wandb.fields import Context
from headrace.testing.wandb.routes import Router
from headrace.testing.wandb.storage import Storage
from headrace.testing.wandb.store import Account, Store

KEY = "0123456789abcdef" * 2 + "01234567"
POLL_SECONDS = 0.02


class WandbServer:
    """A stand-in for W&B's server on a free port of 127.0.0.1; use it as a context manager.

    Attributes:
        url: the base URL, for `WANDB_BASE_URL`.
        key: the only API key that it lets in, for `WANDB_API_KEY`; it opens nothing anywhere else.
        store: runs, artifacts and reports as they arrived.
        faults: what shall go wrong with the next requests.
    """

    def __init__(self, account: Account | None = None, key: str = KEY) -> None:
        self.key = key
        self.url = ""
        self.store = Store(account or Account())
        self.faults = FaultQueue()
        self.stopping = threading.Event()
        self._storage = Storage()
        self.router = Router(Context(store=self.store, storage=self._storage), key, self.complain)
        self._lock = threading.Lock()
        self._requests: list[tuple[str, int]] = []
        self._complaints: list[str] = []
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._listen(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._close()

    def _listen(self, port: int) -> None:
        self._listener = Listener(self, port)
        self.url = self._storage.base_url = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True
        )
        self._thread.start()

    def _close(self) -> None:
        if self._listener and self._thread:
            self._listener.close()
            self._thread.join()

    # --- for tests ----------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead the client here, and nowhere else."""
        return {
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.key,
            "WANDB_ENTITY": self.store.account.team,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_MODE": "online",
            "NO_PROXY": "127.0.0.1",
        }

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        """Refuse every connection for a while, as a server that is not running."""
        assert self._listener is not None
        port = self._listener.server_address[1]
        self._close()
        try:
            yield
        finally:
            self._listen(port)

    @property
    def requests(self) -> list[tuple[str, int]]:
        """What was asked so far: the operation or route, and the status of its answer (0: cut)."""
        with self._lock:
            return list(self._requests)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]

    @property
    def complaints(self) -> list[str]:
        """Every request that the stand-in does not know, or that no correct client sends."""
        with self._lock:
            return list(self._complaints)

    # --- for the parts of the server ----------------------------------------------------------

    def remember(self, operation: str, status: int) -> None:
        with self._lock:
            self._requests.append((operation, status))

    def complain(self, problem: str) -> None:
        with self._lock:
            self._complaints.append(problem)
