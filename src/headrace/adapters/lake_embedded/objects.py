"""Content-addressed files: `objects/ab/<sha256>`, read-only, verified before they are handed out.

Every stored file carries the same modification time, long past. Any write to it, however soon and of
whatever size, therefore shows in `stat`, which a clock's granularity would otherwise hide.
"""

# A `Path` costs as much to build as the system call on it, and staging makes thousands of calls.
# ruff: noqa: PTH103, PTH108, PTH120, PTH123

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headrace.errors import ObjectDamaged, PreconditionFailed

SEALED_NS = 946_684_800_000_000_000  # 2000-01-01
READ_ONLY = 0o444
BLOCK = 1 << 20
SMALL = 1 << 20  # read at once, and not written again if it is there
LEFTOVER_SECONDS = 3600  # a temporary file untouched for so long belongs to a killed process
MANY_FILES = 16  # from here one sync of the file system beats one for each file
HASHING_THREADS = 4  # hashing and copying hold no lock of Python
FICLONE = 0x40049409
REPAIR = "put the same bytes again (rerun what made them with cache: false) to repair it"


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes that are hashed and ready to be placed.

    `file` is None where the object was there already; `moves` says that it is the caller's own file.
    """

    digest: str
    bytes: int
    file: str | None
    moves: bool = False


Signature = tuple[int, int, int]  # bytes, inode, mtime_ns


class ObjectFiles:
    """The files of a lake under `root`."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._device_number: int | None = None
        self._prefix = f"{self._objects}{os.sep}"

    def path(self, digest: str) -> Path:
        return Path(self._name(digest))

    def _name(self, digest: str) -> str:
        """Return the path as text: building a `Path` costs as much as the system call on it."""
        return f"{self._prefix}{digest[:2]}{os.sep}{digest}"

    def is_slow(self, src: Path | bytes) -> bool:
        """Tell whether hashing `src` takes long enough to check everything else first."""
        return not isinstance(src, bytes) and os.stat(src).st_size > SMALL

    def absorb(self, src: Path | bytes, consume: bool) -> Incoming:
        """Hash `src`; copy it into the lake's own folder unless it can be moved, or is here already."""
        if isinstance(src, bytes):
            return self._absorb_bytes(src)
        if consume and (moved := self._seal_in_place(src)):
            return moved
        with open(src, "rb") as file:
            if os.fstat(file.fileno()).st_size <= SMALL:
                return self._absorb_bytes(file.read())
            return self._copy(file)

    def place(self, incoming: Incoming) -> Signature | None:
        """Rename the bytes in, and return what `stat` says of the object.

        Call it inside the write transaction that makes the object reachable: a collection holds the
        same lock, so it sees either nothing or an object in use. None means that the object was
        there when it was hashed and has been collected since: absorb again.
        """
        if incoming.file is not None:
            target = self._name(incoming.digest)
            try:
                os.replace(incoming.file, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.replace(incoming.file, target)
        signature = self.signature(incoming.digest)
        if incoming.file is None and not (signature and _is_sealed(signature, incoming.bytes)):
            return None
        return signature

    def discard(self, incoming: Incoming) -> None:
        """Drop a temporary file that was not placed; the caller's own file stays."""
        if incoming.file is not None and not incoming.moves:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(incoming.file)

    def signature(self, digest: str) -> Signature | None:
        try:
            found = os.stat(self._name(digest))
        except FileNotFoundError:
            return None
        return found.st_size, found.st_ino, found.st_mtime_ns

    def verify(self, digest: str, where: str) -> Signature:
        """Hash the stored bytes. Raises `ObjectDamaged`, which tells `where` they are needed."""
        path = self.path(digest)
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ObjectDamaged(f"{where}: its bytes are missing ({path}); {REPAIR}") from None
        if found != digest:
            raise ObjectDamaged(f"{where}: {path} has sha256 {found}, stored was {digest}; {REPAIR}")
        return before.st_size, before.st_ino, before.st_mtime_ns

    def sync(self, digests: Iterable[str]) -> None:
        """Force files and their folders to the disk."""
        paths = [self.path(digest) for digest in digests]
        if not paths:
            return
        if len(paths) >= MANY_FILES and _sync_file_system(self._objects):
            return
        for path in [*paths, *sorted({path.parent for path in paths}), self._objects]:
            try:
                fd = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                raise ObjectDamaged(f"staged bytes are missing ({path}); {REPAIR}") from None
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def stored(self) -> Iterator[tuple[str, int]]:
        """Yield the digest and size of every file, whether anything knows it or not."""
        if not self._objects.is_dir():
            return
        for shard in sorted(self._objects.iterdir()):
            with os.scandir(shard) as files:
                yield from ((file.name, file.stat().st_size) for file in files)

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what killed processes left half written."""
        if not self._incoming.is_dir():
            return
        for file in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its writer has just placed it
                if time.time() - file.stat().st_ctime > LEFTOVER_SECONDS:
                    file.unlink()

    def _absorb_bytes(self, data: bytes) -> Incoming:
        digest = hashlib.sha256(data).hexdigest()
        return self._present(digest, len(data)) or self._write(data, digest)

    def _present(self, digest: str, size: int) -> Incoming | None:
        signature = self.signature(digest)
        sealed = signature is not None and _is_sealed(signature, size)
        return Incoming(digest, size, None) if sealed else None

    def _write(self, data: bytes, digest: str) -> Incoming:
        def fill(fd: int) -> str:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            return digest

        return self._temporary(fill)

    def _copy(self, source: BinaryIO) -> Incoming:
        def fill(fd: int) -> str:
            try:
                fcntl.ioctl(fd, FICLONE, source.fileno())
            except OSError:  # the file system shares no blocks: copy, hashing on the way
                return _copy_hashing(source, fd)
            with open(fd, "rb", closefd=False) as clone:
                return hashlib.file_digest(clone, "sha256").hexdigest()

        copied = self._temporary(fill)
        if present := self._present(copied.digest, copied.bytes):
            self.discard(copied)
            return present
        return copied

    def _temporary(self, fill: Callable[[int], str]) -> Incoming:
        path = f"{self._incoming}{os.sep}{os.getpid()}-{secrets.token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._incoming.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o600)
        try:
            digest = fill(fd)
            size = os.fstat(fd).st_size
            _seal(fd)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return Incoming(digest, size, path)

    def _seal_in_place(self, src: Path) -> Incoming | None:
        """Hash and seal a file that may be moved; None where it must be copied after all."""
        found = os.lstat(src)
        # Sealing changes the inode: of another name of the file too, so links are copied.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_dev != self._device():
            return None
        with open(src, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
                raise PreconditionFailed(
                    f"{src} was written to while it was stored: close it, then put it again"
                )
            try:
                _seal(file.fileno())
            except PermissionError:  # readable, yet another user's
                return None
        return Incoming(digest, after.st_size, os.fspath(src), moves=True)

    def _device(self) -> int:
        if self._device_number is None:
            self._objects.mkdir(parents=True, exist_ok=True)
            self._device_number = os.stat(self._objects).st_dev
        return self._device_number


def _is_sealed(signature: Signature, size: int) -> bool:
    return signature[0] == size and signature[2] == SEALED_NS


def _seal(fd: int) -> None:
    os.fchmod(fd, READ_ONLY)
    os.utime(fd, ns=(SEALED_NS, SEALED_NS))


def _copy_hashing(source: BinaryIO, fd: int) -> str:
    digest = hashlib.sha256()
    while block := source.read(BLOCK):
        digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(fd, view) :]
    return digest.hexdigest()


def _sync_file_system(folder: Path) -> bool:
    """Flush the whole file system in one call; False where the C library has no such call."""
    import ctypes  # 10 ms that only a big commit pays

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    fd = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"syncfs: {errno.errorcode.get(code, code)}", str(folder))
    finally:
        os.close(fd)
    return True
