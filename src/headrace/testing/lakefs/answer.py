"""What a route answers with, before it becomes bytes on a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from headrace.testing.lakefs.refusal import Refusal

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class FileSlice:
    """The part of a file to send: `length` bytes from `start`."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers and a body, which is either in memory or a part of a file.

    `document` is what `body` encodes, for the check against the swagger file.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: FileSlice | None = None
    document: Any = None

    @property
    def length(self) -> int:
        return self.file.length if self.file else len(self.body)


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(document).encode() + b"\n"
    return Answer(
        status=status,
        headers={"Content-Type": JSON, "X-Content-Type-Options": "nosniff", **(headers or {})},
        body=body,
        document=document,
    )


def no_content() -> Answer:
    return Answer(status=204)


def refusal_answer(refusal: Refusal) -> Answer:
    return json_answer(refusal.body, refusal.status)


def xml_error(status: int, code: str, message: str) -> Answer:
    """Answer as S3 does where a presigned URL is refused."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=text.encode())
