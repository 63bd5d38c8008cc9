"""The bytes of objects: one file each, written and read in blocks."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Body:
    """A stored body: `checksum` is the MD5 of its bytes, or S3's digest of digests for many parts."""

    id: str
    checksum: str
    size_bytes: int


class BodyStore:
    """A folder of bodies by id. A body is never changed once it is there."""

    def __init__(self) -> None:
        self._folder = Path()
        self._checksums: dict[str, str] = {}

    def open(self, folder: Path) -> None:
        """Keep bodies in this folder from now on."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def new_id(self) -> str:
        return uuid.uuid4().hex

    def path(self, body_id: str) -> Path:
        return self._folder / body_id

    def write(self, blocks: Iterable[bytes], body_id: str | None = None) -> Body:
        """Store a body; nothing is left behind of one that breaks off."""
        body_id = body_id or self.new_id()
        partial = self._folder / f"{self.new_id()}.partial"
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        try:
            with partial.open("wb") as file:
                for block in blocks:
                    digest.update(block)
                    size += len(block)
                    file.write(block)
            partial.replace(self.path(body_id))
            self._checksums[body_id] = digest.hexdigest()
        finally:
            partial.unlink(missing_ok=True)
        return Body(id=body_id, checksum=digest.hexdigest(), size_bytes=size)

    def copy(self, source_id: str) -> str:
        copied = self.new_id()
        shutil.copyfile(self.path(source_id), self.path(copied))
        self._checksums[copied] = self.checksum(source_id)
        return copied

    def join(self, parts: Sequence[Body], body_id: str) -> Body:
        """Make one body of uploaded parts; they are gone afterwards."""
        digests = hashlib.md5(usedforsecurity=False)
        with self.path(body_id).open("wb") as joined:
            for part in parts:
                digests.update(bytes.fromhex(part.checksum))
                with self.path(part.id).open("rb") as file:
                    shutil.copyfileobj(file, joined, BLOCK)
        for part in parts:
            self.delete(part.id)
        size = sum(part.size_bytes for part in parts)
        self._checksums[body_id] = f"{digests.hexdigest()}-{len(parts)}"
        return Body(id=body_id, checksum=self._checksums[body_id], size_bytes=size)

    def checksum(self, body_id: str) -> str:
        """Return what a body was known by when it was written, whatever became of its file."""
        return self._checksums[body_id]

    def delete(self, body_id: str) -> None:
        self.path(body_id).unlink(missing_ok=True)
