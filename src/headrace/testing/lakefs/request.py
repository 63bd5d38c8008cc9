"""One request as it comes off the connection, and its body as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import BinaryIO

from headrace.testing.lakefs.bodies import BLOCK
from headrace.testing.lakefs.refusal import Refusal


class BodyCut(Exception):
    """The client closed the connection before its body was complete."""


class RequestBody:
    """The bytes of a request, by Content-Length or in chunks. They can be read once."""

    def __init__(self, file: BinaryIO, headers: Message[str, str]) -> None:
        self._file = file
        self.chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.length = 0 if self.chunked else int(headers.get("Content-Length", "0"))
        self._left = self.length
        self._done = not self.chunked and not self.length

    def blocks(self, at_most: int | None = None) -> Iterator[bytes]:
        """Yield what has not been read yet, or about `at_most` bytes of it."""
        taken = 0
        while not self._done and (at_most is None or taken < at_most):
            block = self._next_block(BLOCK if at_most is None else min(BLOCK, at_most - taken))
            taken += len(block)
            if block:
                yield block

    def drain(self) -> None:
        for _ in self.blocks():
            pass

    def read(self, at_most: int) -> bytes:
        """Return the whole body. Raises `Refusal` for one longer than `at_most`."""
        found = b"".join(self.blocks(at_most + 1))
        if len(found) > at_most:
            raise Refusal(413, "request body too large")
        return found

    def _next_block(self, size: int) -> bytes:
        if self.chunked and self._left == 0:
            self._left = int(self._file.readline().split(b";")[0] or b"0", 16)
            if self._left == 0:
                self._file.readline()
                self._done = True
                return b""
        block = self._file.read(min(size, self._left))
        if not block:
            raise BodyCut
        self._left -= len(block)
        if self._left == 0 and self.chunked:
            self._file.readline()
        elif self._left == 0:
            self._done = True
        return block


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request; `path` is as it was sent, `pairs` are its query parameters, decoded."""

    method: str
    path: str
    pairs: list[tuple[str, str]]
    headers: Message[str, str]
    body: RequestBody

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLog:
    """What a test may look at afterwards. `status` is 0 where the connection was dropped.

    Holds no headers, and of presigned URLs no signature.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int
    operation_id: str
