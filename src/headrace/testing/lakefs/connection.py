"""HTTP: keep-alive connections, streamed bodies, and the faults that happen on the wire."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import parse_qsl, urlsplit

from headrace.testing.lakefs.answer import Answer, FileSlice, json_answer, refusal_answer, xml_error
from headrace.testing.lakefs.bodies import BLOCK
from headrace.testing.lakefs.faults import Fault
from headrace.testing.lakefs.presign import expired
from headrace.testing.lakefs.refusal import Refusal
from headrace.testing.lakefs.request import BodyCut, Request, RequestBody

if TYPE_CHECKING:
    from headrace.testing.lakefs.server import StandInServer

IDLE_TIMEOUT_SECONDS = 60


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Connection(BaseHTTPRequestHandler):
    """One connection of a client, with one request after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "headrace-lakefs-stand-in"
    # Headers and a small body leave in one write, at once: with two writes Nagle's algorithm and a
    # delayed acknowledgement cost 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the server keeps its own log."""

    def handle_expect_100(self) -> bool:
        """Send `100 Continue` at once: the client waits for it before it sends its body."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _serve(self) -> None:
        stand_in = cast("Listener", self.server).stand_in
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path,
            pairs=parse_qsl(url.query, keep_blank_values=True),
            headers=self.headers,
            body=RequestBody(cast("BinaryIO", self.rfile), self.headers),
        )
        operation = stand_in.dispatcher.operation(request)
        status = 0
        try:
            answer, fault = self._answer(stand_in, request, operation)
            request.body.drain()
            status = answer.status
            stand_in.remember(request, status, operation)
            self._send(answer, fault)
        except (Dropped, BodyCut, ConnectionError, TimeoutError):
            if not status:
                stand_in.remember(request, 0, operation)
            self.close_connection = True
            self._abort()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _answer(self, stand_in: StandInServer, request: Request, operation: str) -> tuple[Answer, str]:
        """Answer a request as far as its faults allow, and say which one is left for the sending."""
        wire = ""
        instead: Answer | None = None
        for fault in stand_in.faults.take(operation):
            if fault.kind == "latency":
                time.sleep(fault.seconds)
            elif fault.kind == "drop_before":
                raise Dropped
            elif fault.kind == "drop_mid_upload":
                for _ in request.body.blocks(max(request.body.length // 2, 1)):
                    pass
                raise Dropped
            elif fault.kind in ("status", "expired", "gone"):
                return _fault_answer(fault), ""
            elif fault.kind == "status_after":
                instead = _fault_answer(fault)
            else:
                wire = fault.kind
        answer = stand_in.dispatcher.answer(request)
        if wire == "drop_after":
            raise Dropped
        return instead or answer, wire

    def _send(self, answer: Answer, fault: str) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status not in (204, 304):
            self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer, fault)
        self.wfile.flush()

    def _send_body(self, answer: Answer, fault: str) -> None:
        length = answer.length // 2 if fault == "truncate" else answer.length
        if answer.file:
            self._send_file(answer.file, length, corrupt_at=length // 2 if fault == "corrupt" else -1)
        else:
            self.wfile.write(answer.body[:length])
        if fault == "truncate":
            self.wfile.flush()
            raise Dropped

    def _send_file(self, part: FileSlice, length: int, corrupt_at: int) -> None:
        sent = 0
        with part.path.open("rb") as file:
            file.seek(part.start)
            while sent < length:
                block = file.read(min(BLOCK, length - sent))
                if not block:
                    raise Dropped
                if sent <= corrupt_at < sent + len(block):
                    damaged = bytearray(block)
                    damaged[corrupt_at - sent] ^= 0xFF
                    block = bytes(damaged)
                self.wfile.write(block)
                sent += len(block)

    def _abort(self) -> None:
        """Close both ways now, so that the client does not wait for more."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _fault_answer(fault: Fault) -> Answer:
    if fault.kind == "expired":
        refusal = expired()
        return xml_error(refusal.status, refusal.code, refusal.message)
    if fault.kind == "gone":
        return refusal_answer(Refusal(410, "No data"))
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return json_answer({"message": fault.message}, fault.status, headers)


class Listener(ThreadingHTTPServer):
    """Listens on loopback, a thread for each connection; closing it ends them all."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, stand_in: StandInServer) -> None:
        self.stand_in = stand_in
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", 0), Connection)

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
        """Say nothing of clients that went away."""

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
