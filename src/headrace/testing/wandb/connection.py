"""HTTP: keep-alive connections, and the faults that happen on the wire."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from headrace.testing.wandb.answer import Answer, json_answer
from headrace.testing.wandb.routes import Request

if TYPE_CHECKING:
    from headrace.testing.wandb.faults import Fault
    from headrace.testing.wandb.server import WandbServer

IDLE_TIMEOUT_SECONDS = 60
CLOSE_WITH_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds


class Cut(Exception):
    """The connection is to be reset without an answer: a fault, or a client that went away in mid-body."""


class Connection(BaseHTTPRequestHandler):
    """One connection of a client, with one request after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "headrace-wandb-stand-in"
    # Headers and a small body leave in one write: with two, Nagle's algorithm costs 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the server keeps its own log."""

    def _serve(self) -> None:
        stand_in = cast("Listener", self.server).stand_in
        try:
            request = Request(
                method=self.command,
                path=urlsplit(self.path).path,
                headers=dict(self.headers.items()),
                body=self._read_body(),
            )
            operation = request.operation
            fault = stand_in.faults.take(operation)
            answer = self._answer(stand_in, request, fault)
            stand_in.remember(operation, answer.status if answer else 0)
            if answer is None:
                raise Cut
            self._send(answer)
        except (Cut, ConnectionError, TimeoutError):
            self.close_connection = True
            self._reset()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _answer(self, stand_in: WandbServer, request: Request, fault: Fault | None) -> Answer | None:
        """Answer a request as far as its fault allows; None is a cut."""
        if fault is None:
            return stand_in.router.answer(request)
        if fault.kind == "slow":
            stand_in.stopping.wait(fault.seconds)
            return stand_in.router.answer(request)
        if fault.kind == "lost":
            return Answer(status=200)
        if fault.kind == "corrupt":
            body = bytes([request.body[0] ^ 0xFF]) + request.body[1:]
            return stand_in.router.answer(dataclasses.replace(request, body=body))
        if fault.kind.endswith("_after"):
            stand_in.router.answer(request)
        if fault.kind.startswith("reset"):
            return None
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return json_answer({"errors": [{"message": "a fault of the stand-in"}]}, fault.status, headers)

    def _read_body(self) -> bytes:
        body = b""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self._read_line().split(b";")[0], 16):
                body += self._read(size)
                self._read_line()
            self._read_line()
        else:
            body = self._read(int(self.headers.get("Content-Length", "0")))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _read(self, size: int) -> bytes:
        found = self.rfile.read(size)
        if len(found) < size:
            raise Cut
        return found

    def _read_line(self) -> bytes:
        if not (found := self.rfile.readline()):
            raise Cut
        return found

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _reset(self) -> None:
        """Close both ways now, so that the client sees a reset and does not wait for more."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RESET)
            self.connection.shutdown(socket.SHUT_RDWR)


class Listener(ThreadingHTTPServer):
    """Listens on loopback, a thread for each connection; closing it ends them all."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, stand_in: WandbServer, port: int = 0) -> None:
        self.stand_in = stand_in
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), Connection)

    def server_bind(self) -> None:
        """Bind without asking the name service for this machine's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._work, args=(request, client_address), daemon=True)
        with self._lock:
            self._open[request] = thread
        thread.start()

    def _work(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Hand a mistake of the stand-in to its complaints; a client that went away is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.stand_in.complain(f"the stand-in failed: {error!r}")

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.shutdown()
        self.server_close()
        with self._lock:
            still_open = dict(self._open)
        for connection, thread in still_open.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=2)
