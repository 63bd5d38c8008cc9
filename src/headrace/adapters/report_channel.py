"""How the jobs of a sweep ask it, between two steps, whether they should go on.

JSON over a socket; both ends prove that they know the sweep's key, and nothing is unpickled.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

Judge = Callable[[int, int, float], bool]
"""Takes a trial's number, a step and a score; returns whether the trial is hopeless."""

LOOPBACK = "127.0.0.1"


class ReportListener:
    """Answers reports until it is closed, each job's on a thread of its own.

    Args:
        judge: Is called from those threads.
        host: The address to listen on. Workers on other machines need one that they can reach.
    """

    def __init__(self, judge: Judge, host: str = LOOPBACK) -> None:
        self._judge = judge
        self._key = secrets.token_bytes(32)
        self._listener = Listener((host, 0), "AF_INET", authkey=self._key)
        self._closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def address(self) -> dict[str, Any]:
        """Return what a job needs to report: small JSON, to be kept from others."""
        host, port = self._listener.address
        return {"host": host, "port": port, "key": self._key.hex()}

    def close(self) -> None:
        self._closed = True
        self._listener.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue  # a stranger, or the end
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    trial, step, score = json.loads(connection.recv_bytes(1 << 12))
                    hopeless = self._judge(int(trial), int(step), float(score))
                    connection.send_bytes(json.dumps(hopeless).encode())
                except (OSError, EOFError, ValueError, TypeError):
                    return  # the job is over


class Reporter:
    """A job's end of the channel. A sweep that is gone, or does not answer, stops nobody."""

    def __init__(self, trial: int, address: dict[str, Any]) -> None:
        self._trial = trial
        self._address = address
        self._connection: Connection | None = None
        self._gone = False

    def __call__(self, step: int, score: float) -> bool:
        """Report, and return whether the trial is hopeless."""
        if self._gone:
            return False
        try:
            if self._connection is None:
                where = (self._address["host"], self._address["port"])
                self._connection = Client(where, "AF_INET", authkey=bytes.fromhex(self._address["key"]))
            self._connection.send_bytes(json.dumps([self._trial, step, score]).encode())
            return bool(json.loads(self._connection.recv_bytes(1 << 12)))
        except (OSError, EOFError, AuthenticationError):
            self._gone = True
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
