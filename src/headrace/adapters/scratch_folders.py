"""Scratch folders of runs, and what killed runs left in them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ScratchFolders:
    """One folder a run under `root`, with a lock file beside it that the run holds while it lives.

    The lock is freed by the kernel however the process ends, so a folder whose lock is free is dead.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def open(self, run_id: str) -> Iterator[Path]:
        """Give a run its folder, and remove it at the end."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = self.root / f"{run_id}.lock"
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self.root / run_id
        finally:
            shutil.rmtree(self.root / run_id, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(descriptor)

    def sweep(self) -> list[str]:
        """Remove what dead runs left, and return their ids."""
        dead = []
        for lock in sorted(self.root.glob("*.lock")):
            try:
                descriptor = os.open(lock, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(self.root / lock.stem, ignore_errors=True)
                lock.unlink(missing_ok=True)
                dead.append(lock.stem)
            finally:
                os.close(descriptor)
        return dead
