"""How the jobs of a sweep ask it, between two steps, whether they should go on.

JSON over a socket; both ends prove that they know the sweep's key, and nothing is unpickled.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

Judge = Callable[[int, int, float], bool]
"""Takes a trial's number, a step and a score; returns whether the trial is hopeless."""

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
BYTES_AT_MOST = 1 << 12
PATIENCE_SECONDS = 30.0  # of a job: one that waits for ever for an answer is worse than one that goes on

# What another end may do wrong. Python 3.11 asserts where later ones raise AuthenticationError.
_WRONG = (
    OSError, EOFError, ValueError, TypeError, OverflowError, RecursionError,
    AuthenticationError, AssertionError,
)  # fmt: skip


class ReportListener:
    """Answers reports until it is closed, each job's on a thread of its own.

    Args:
        judge: Is called from those threads.
        host: The address to listen on. Workers on other machines need one that they can reach.
    """

    def __init__(self, judge: Judge, host: str = LOOPBACK) -> None:
        self._judge = judge
        self._key = secrets.token_bytes(32)
        self._socket = socket.create_server((host, 0))
        self._closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def address(self) -> dict[str, Any]:
        """Return what a job needs to report: small JSON, to be kept from others."""
        host, port = self._socket.getsockname()[:2]
        return {"host": host, "port": port, "key": self._key.hex()}

    def close(self) -> None:
        """Take no more jobs. May be called twice."""
        if not self._closed:
            self._closed = True
            with suppress(OSError):  # some systems know it only of sockets that are connected
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which a close alone does not
            self._socket.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                continue  # somebody who left at once, or the end
            threading.Thread(target=self._answer, args=(connected,), daemon=True).start()

    def _answer(self, connected: socket.socket) -> None:
        # On this thread, so that a stranger who says nothing keeps nobody else waiting.
        with Connection(connected.detach()) as connection, suppress(*_WRONG):  # the job is over
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            while not self._closed:
                trial, step, score = json.loads(connection.recv_bytes(BYTES_AT_MOST))
                hopeless = self._ask(int(trial), int(step), float(score))
                connection.send_bytes(json.dumps(hopeless).encode())

    def _ask(self, trial: int, step: int, score: float) -> bool:
        try:
            return bool(self._judge(trial, step, score))
        except Exception:  # what the judge gets wrong is no reason to give a job up
            log.exception("job %d is not judged at step %d", trial, step)
            return False


class Reporter:
    """A job's end of the channel. A sweep that is gone, or does not answer, stops nobody."""

    def __init__(
        self, trial: int, address: dict[str, Any], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._trial = trial
        self._address = address
        self._patience = patience_seconds
        self._connection: Connection | None = None
        self._gone = False

    def __call__(self, step: int, score: float) -> bool:
        """Report, and return whether the trial is hopeless."""
        if self._gone:
            return False
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.send_bytes(json.dumps([self._trial, step, score]).encode())
            self._await(self._connection)
            return bool(json.loads(self._connection.recv_bytes(BYTES_AT_MOST)))
        except _WRONG as error:
            log.warning("the sweep does not answer, so nothing is pruned any more (%s)", error)
            self._gone = True
            self.close()
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> Connection:
        where = (self._address["host"], self._address["port"])
        with socket.create_connection(where, self._patience) as connected:
            connected.settimeout(None)
            connection = Connection(connected.detach())
        try:
            key = bytes.fromhex(self._address["key"])
            self._await(connection)
            answer_challenge(connection, key)
            deliver_challenge(connection, key)
        except BaseException:
            connection.close()
            raise
        return connection

    def _await(self, connection: Connection) -> None:
        if not connection.poll(self._patience):
            raise TimeoutError(f"no answer within {self._patience:.0f} s")
