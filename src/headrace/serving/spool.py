"""A folder of segments: predictions that are not in the lake yet, readable after their writer was killed.

    <root>/<writer>.lock                          held by the writer for as long as it lives
    <root>/<writer>/<model>/<date>/<segment>.arrows

A segment is an Arrow stream that only grows, one write a batch. What a kill leaves of the last one is not
read; everything before is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

SUFFIX = ".arrows"


@dataclass(slots=True)
class _Open:
    path: Path
    descriptor: int
    bytes: int
    rows: int
    schema: pa.Schema


class Spool:
    """The segments of one writer. Appending and sealing is for one thread, the rest for any.

    Args:
        root: The folder of all writers, on a local disk.
        most_bytes: What all writers together may hold there.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        self.root = root
        self._most_bytes = most_bytes
        self._open: dict[tuple[str, str], _Open] = {}
        self._opened = 0.0
        self.id, self._lock = _take_new_lock(root)
        self.folder = root / self.id
        self.measure()

    def append(self, model: str, date: str, batch: pa.RecordBatch) -> bool:
        """Add rows to the segment of a model and day; False where there is no place for them."""
        segment = self._segment(model, date, batch.schema)
        head = batch.schema.serialize().to_pybytes() if segment.bytes == 0 else b""
        data = head + batch.serialize().to_pybytes()
        if self._used + len(data) > self._most_bytes:
            return False
        try:
            _write_all(segment.descriptor, data)
        except OSError:  # a full disk: whoever reads must not meet half a batch in the middle
            os.ftruncate(segment.descriptor, segment.bytes)
            os.lseek(segment.descriptor, segment.bytes, os.SEEK_SET)
            return False
        segment.bytes += len(data)
        segment.rows += batch.num_rows
        self._used += len(data)
        return True

    @property
    def open_rows(self) -> int:
        return sum(segment.rows for segment in self._open.values())

    @property
    def open_bytes(self) -> int:
        return sum(segment.bytes for segment in self._open.values())

    @property
    def open_seconds(self) -> float:
        """How long the oldest segment has been open; 0 where none is."""
        return time.monotonic() - self._opened if self._open else 0.0

    def seal(self) -> None:
        """Let nothing more come to the segments that are open: they may be committed."""
        for segment in self._open.values():
            os.fsync(segment.descriptor)
            os.close(segment.descriptor)
            segment.path.rename(segment.path.with_suffix(SUFFIX))
        self._open.clear()

    def sealed(self) -> list[Path]:
        """Return the segments that may be committed, oldest first."""
        return sorted(self.folder.rglob(f"*{SUFFIX}"), key=lambda path: path.name)

    def measure(self) -> None:
        """Count the bytes of all writers anew."""
        self._used = sum(_size(path) for path in self.root.rglob("*") if path.is_file())

    def close(self) -> None:
        """Seal, and let go of the folder: what is left in it is for the next writer."""
        self.seal()
        if not any(self.folder.rglob(f"*{SUFFIX}")):
            _remove(self.root, self.id)
        os.close(self._lock)

    def _segment(self, model: str, date: str, schema: pa.Schema) -> _Open:
        segment = self._open.get((model, date))
        if segment is not None and segment.schema is not schema and not segment.schema.equals(schema):
            self.seal()  # another version with other columns
            segment = None
        if segment is None:
            if not self._open:
                self._opened = time.monotonic()
            folder = self.folder / model / date
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{_stamp()}-{os.urandom(6).hex()}.open"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            segment = self._open[model, date] = _Open(path, descriptor, 0, 0, schema)
        return segment


def segment_id(path: Path) -> str:
    """Return a segment's name in the lake, below the folder of predictions: model, date and id."""
    return "/".join((*path.parts[-3:-1], path.stem))


def read_segment(path: Path) -> pa.Table | None:
    """Return what was written whole; None where that is nothing."""
    batches = []
    with path.open("rb") as file:
        try:
            reader = pa.ipc.open_stream(file)
            while True:
                batches.append(reader.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):
            pass
    return pa.Table.from_batches(batches) if batches else None


@contextmanager
def claim_dead(root: Path, writer: str) -> Iterator[list[Path]]:
    """Give the segments of a writer that has died, to this process alone; [] of one that lives.

    What is not in its folder any more at the end is done with; an empty folder goes.
    """
    descriptor = _claim(root / f"{writer}.lock")
    if descriptor is None:
        yield []
        return
    folder = root / writer
    try:
        for path in folder.rglob("*.open"):
            path.rename(path.with_suffix(SUFFIX))
        yield sorted(folder.rglob(f"*{SUFFIX}"), key=lambda path: path.name)
        if not any(folder.rglob(f"*{SUFFIX}")):
            _remove(root, writer)
    finally:
        os.close(descriptor)


def writers(root: Path) -> list[str]:
    """Return the ids of all who write or wrote here, oldest first."""
    return sorted(path.stem for path in root.glob("*.lock"))


def _take_new_lock(root: Path) -> tuple[str, int]:
    root.mkdir(parents=True, exist_ok=True)
    while True:
        writer = f"{_stamp()}-{os.getpid()}-{os.urandom(4).hex()}"
        path = root / f"{writer}.lock"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Between the two calls it looked like that of a dead writer, and may be gone.
        if _is_still_at(descriptor, path):
            return writer, descriptor
        os.close(descriptor)


def _claim(path: Path) -> int | None:
    """Take the lock of a dead writer; None where it lives, or is dealt with."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not _is_still_at(descriptor, path):
        os.close(descriptor)
        return None
    return descriptor


def _is_still_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _remove(root: Path, writer: str) -> None:
    # The lock goes last: without it nobody would look into the folder again.
    shutil.rmtree(root / writer, ignore_errors=True)
    (root / f"{writer}.lock").unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime())
