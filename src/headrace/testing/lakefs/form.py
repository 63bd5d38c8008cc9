"""Reading `multipart/form-data` as a stream: the one part named `content`, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.policy import HTTP

from headrace.testing.lakefs.refusal import Refusal, Violation

MAX_HEADER_BYTES = 16384


class FormPart:
    """The part of a form that holds the object; its bytes can be read once."""

    def __init__(self, blocks: Iterator[bytes], boundary: str) -> None:
        self._blocks = blocks
        self._end = b"\r\n--" + boundary.encode()
        self._buffer = b"\r\n"  # the first boundary has no line before it
        self._until(self._end)
        self.content_type = self._read_headers()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the part's bytes, then read what is left of the form."""
        while True:
            at = self._buffer.find(self._end)
            if at >= 0:
                if at:
                    yield self._buffer[:at]
                break
            safe = len(self._buffer) - len(self._end)
            if safe > 0:
                yield self._buffer[:safe]
                self._buffer = self._buffer[safe:]
            self._more()
        tail = self._buffer[at + len(self._end) :] + b"".join(self._blocks)
        if not tail.startswith(b"--"):
            raise Violation("an upload has one part, named content; found more")

    def _until(self, mark: bytes, at_most: int = MAX_HEADER_BYTES) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > at_most + len(mark):
                raise Refusal(500, "multipart: message too large")
            self._more()
        found = self._buffer[:at]
        self._buffer = self._buffer[at + len(mark) :]
        return found

    def _more(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            raise Refusal(500, "multipart: NextPart: EOF")
        self._buffer += block

    def _read_headers(self) -> str:
        head = self._until(b"\r\n\r\n")
        headers = BytesHeaderParser(policy=HTTP).parsebytes(head.lstrip(b"\r\n") + b"\r\n\r\n")
        disposition = headers["Content-Disposition"]
        name = disposition.params.get("name") if disposition is not None else None
        if name != "content":
            raise Refusal(500, "multipart upload missing key 'content': http: no such file")
        return str(headers.get("Content-Type", "")) or "application/octet-stream"
