"""What is to be uploaded, hashed beforehand: its digest travels with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headrace.errors import PreconditionFailed

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes, or a file that must stay as it was when it was hashed."""

    src: Path | bytes
    sha256: str
    size: int
    stamp: tuple[int, int] = (0, 0)  # inode and mtime_ns of a file

    def blocks(self, start: int, count: int) -> Iterator[bytes]:
        """Yield a stretch of the bytes. Raises `PreconditionFailed` where the file has changed.

        The last block comes after that check, so no server has all of what is wrong.
        """
        if isinstance(self.src, bytes):
            view = memoryview(self.src)[start : start + count]
            yield from (bytes(view[at : at + BLOCK]) for at in range(0, len(view), BLOCK))
            return
        with self.src.open("rb", buffering=0) as file:
            file.seek(start)
            while count:
                block = file.read(min(BLOCK, count))
                count -= len(block)
                if not count or not block:
                    self._check(file)
                if not block:
                    return
                yield block

    def _check(self, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        if (found.st_ino, found.st_mtime_ns, found.st_size) != (*self.stamp, self.size):
            raise PreconditionFailed(
                f"{file.name} was written to while it was stored: close it, then put it again"
            )


def measure(src: Path | bytes) -> Content:
    """Hash what is to be uploaded. Raises `OSError` where the file cannot be read."""
    if isinstance(src, bytes):
        return Content(src, hashlib.sha256(src).hexdigest(), len(src))
    with src.open("rb") as file:
        found = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Content(src, digest, found.st_size, (found.st_ino, found.st_mtime_ns))
