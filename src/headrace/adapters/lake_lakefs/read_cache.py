"""Verified copies of objects on this machine, by digest, up to a size."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

READ_ONLY = 0o444
SEALED_NS = 946_684_800_000_000_000  # 2000-01-01: a later change shows, however soon it comes
BLOCK = 1 << 20
LEFTOVER_SECONDS = 3600
SWEEP_TO = 0.9  # of the bound, so that not every file sweeps


class ReadCache:
    """Files named by their digest. Safe from several threads and processes.

    What a living process was given stays, even beyond the bound; of the rest the least recently used
    goes first. Losing the folder costs time and nothing else.
    """

    def __init__(self, root: Path, at_most_bytes: int) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._users = root / "users"
        self._at_most = at_most_bytes
        self._gate = root / "sweep.lock"  # shared by those who take a file, alone for the one who sweeps
        self._processes: dict[int, _Process] = {}  # a fork inherits this one's, and has its own to write
        self._added = at_most_bytes  # so that the first file looks at what is there

    def path(self, digest: str) -> Path:
        kind, _, value = digest.partition(":")
        name = value if value.isalnum() else hashlib.sha256(value.encode()).hexdigest()
        return self._objects / name[:2] / f"{kind}-{name}"

    def find(self, digest: str, size: int) -> Path | None:
        """Return the file, which is held from now on, or None where it is absent or was tampered with."""
        file = self.path(digest)
        with self._open_gate(fcntl.LOCK_SH):
            self._hold(file.name)
            try:
                found = file.stat()
                if (found.st_size, found.st_mtime_ns) == (size, SEALED_NS):
                    os.utime(file, ns=(time.time_ns(), SEALED_NS))
                    return file
                file.unlink()
            except FileNotFoundError:
                pass
        return None

    @contextlib.contextmanager
    def receive(self) -> Iterator[BinaryIO]:
        """Give a temporary file to write to; it is removed unless `keep` takes it."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        path = self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
        with path.open("w+b") as file:
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)

    def keep(self, file: BinaryIO, digest: str) -> Path:
        """Move an open file in under its digest, which was verified."""
        target = self.path(digest)
        if file.writable():
            file.flush()
        os.fchmod(file.fileno(), READ_ONLY)
        os.utime(file.fileno(), ns=(time.time_ns(), SEALED_NS))
        size = os.fstat(file.fileno()).st_size
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._open_gate(fcntl.LOCK_SH):
            self._hold(target.name)
            os.replace(file.name, target)
            self._added += size
            full = self._added > self._at_most * (1 - SWEEP_TO)
        if full:
            with self._open_gate(fcntl.LOCK_EX):
                self._added = 0
                self._sweep()
        return target

    def adopt(self, src: Path, digest: str) -> None:
        """Take a file over that is the caller's to give away, where that costs no copy; else remove it."""
        try:
            with src.open("rb") as file:
                if os.fstat(file.fileno()).st_nlink == 1:  # of another name, sealing would change it too
                    self.keep(file, digest)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EACCES):
                raise
        src.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _open_gate(self, mode: int) -> Iterator[None]:
        with self._process().lock:
            self._gate.parent.mkdir(parents=True, exist_ok=True)
            with self._gate.open("a+b") as gate:
                fcntl.flock(gate, mode)
                yield

    def _hold(self, name: str) -> None:
        """Write down that this process uses an object, in a file that is locked for as long as it lives."""
        held = self._process().held
        if name not in held:
            held.add(name)
            os.write(_holder(self._users), f"{name}\n".encode())

    def _process(self) -> _Process:
        return self._processes.setdefault(os.getpid(), _Process(threading.Lock(), set()))

    def _sweep(self) -> None:
        """Remove the least recently used files that nobody holds until the rest fits the bound."""
        found = []
        for shard in self._objects.iterdir():
            with os.scandir(shard) as files:
                found += [(entry.stat().st_atime_ns, entry.stat().st_size, entry.path) for entry in files]
        total = sum(size for _, size, _ in found)
        if total > self._at_most * SWEEP_TO:
            in_use = self._in_use()
            for _, size, path in sorted(found):
                if total <= self._at_most * SWEEP_TO:
                    break
                if os.path.basename(path) not in in_use:  # noqa: PTH119 - thousands of paths
                    Path(path).unlink(missing_ok=True)
                    total -= size
        for file in self._incoming.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_ctime > LEFTOVER_SECONDS:
                    file.unlink()

    def _in_use(self) -> set[str]:
        """Return what living processes hold, this one too, and remove what dead ones left."""
        names: set[str] = set()
        for file in self._users.iterdir():
            with contextlib.suppress(FileNotFoundError), file.open("r+b") as user:
                try:
                    fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    file.unlink(missing_ok=True)
                except BlockingIOError:
                    names.update(user.read().decode().split())
        return names


class _Process(NamedTuple):
    """What one process has of a cache: a lock for its threads, and the names of what it was given."""

    lock: threading.Lock
    held: set[str]


_holders: dict[tuple[int, Path], int] = {}


def _holder(users: Path) -> int:
    """Return this process's file for a cache, which is open and locked until the process ends."""
    key = (os.getpid(), users)
    if key not in _holders:
        users.mkdir(parents=True, exist_ok=True)
        name = users / f"{os.getpid()}-{secrets.token_hex(8)}"
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(opened, fcntl.LOCK_EX)
        _holders[key] = opened
    return _holders[key]
