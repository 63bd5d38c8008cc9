"""Answers that carry an object, whole or a range of it."""

from __future__ import annotations

import re
from email.message import Message
from email.utils import formatdate
from pathlib import Path

from headrace.testing.lakefs.answer import Answer, FileSlice
from headrace.testing.lakefs.refusal import Refusal

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the number of bytes that a Range header asks for; None for all.

    Raises `Refusal` with 416 where the object has no such bytes. Several ranges are not served.
    """
    if not text:
        return None
    match = RANGE.fullmatch(text)
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        raise _no_such_range()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last or size - 1), size - 1)
    if start > end:
        raise _no_such_range()
    return start, end - start + 1


def _no_such_range() -> Refusal:
    return Refusal(416, "Requested Range Not Satisfiable")


def download(
    path: Path, headers: Message[str, str], checksum: str, content_type: str, mtime: int, with_body: bool
) -> Answer:
    """Answer with a file, or for a HEAD with all but its bytes."""
    if not path.exists():
        raise Refusal(410, "No data")
    size = path.stat().st_size
    wanted = read_range(headers.get("Range", ""), size)
    start, length = wanted or (0, size)
    answer_headers = {
        "Content-Type": content_type,
        "Content-Length": str(length),
        "ETag": f'"{checksum}"',
        "Last-Modified": formatdate(mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store, must-revalidate",
    }
    if wanted:
        answer_headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    return Answer(
        status=206 if wanted else 200,
        headers=answer_headers,
        file=FileSlice(path=path, start=start, length=length) if with_body else None,
    )
