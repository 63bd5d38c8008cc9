"""Remembers what was computed from a file for as long as the file stays as it is."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_KEPT = 20_000


class StatCache:
    """One JSON file of entries keyed by kind and path, each valid for one (device, inode, size, mtime).

    Reading never writes: `save` does, atomically, and only where something new was computed. Losing
    the file costs time and nothing else. Safe from several threads; of two processes that save at
    once the last one wins.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._entries: dict[str, list[Any]] | None = None
        self._changed = False

    def remember(self, kind: str, path: Path, compute: Callable[[], Any]) -> Any:
        """Return what `compute` gave for this file (JSON), computing it where the file is new or changed."""
        stat = path.stat()
        stamp = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns]
        name = f"{kind}|{path}"
        with self._lock:
            entry = self._load().get(name)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        value = compute()
        with self._lock:
            self._load()[name] = [stamp, value]
            self._changed = True
        return value

    def save(self) -> None:
        """Write what is new. A folder that cannot be written to only costs time later."""
        with self._lock:
            if not self._changed or self._entries is None:
                return
            newest = dict(list(self._entries.items())[-_KEPT:])
            self._changed = False
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".stat-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(newest, file, separators=(",", ":"))
            os.replace(temporary, self._file)
        except OSError:
            return

    def _load(self) -> dict[str, list[Any]]:
        if self._entries is None:
            try:
                loaded = json.loads(self._file.read_bytes())
                self._entries = loaded if isinstance(loaded, dict) else {}
            except (OSError, ValueError):
                self._entries = {}
        return self._entries
