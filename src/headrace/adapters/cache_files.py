"""A stage cache of small JSON files, which are at the same time Prefect's result records.

Prefect writes `<root>/<key>` when a task with our cache policy completes, and reads it to find a
hit. The plan reads the very same file here, with the standard library only: a command that finds
nothing to do must not pay for importing Prefect.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

KEY = re.compile(r"[0-9a-f]{64}")

# What `prefect.results.ResultRecord` needs to read the record back. The names of the encoder and
# decoder are spelled out because Prefect would otherwise fall back to its pickle serializer.
SERIALIZER = {
    "type": "json",
    "jsonlib": "json",
    "object_encoder": "prefect.serializers.prefect_json_object_encoder",
    "object_decoder": "prefect.serializers.prefect_json_object_decoder",
    "dumps_kwargs": {},
    "loads_kwargs": {},
}


def cache_folder(root: Path, lake: str) -> Path:
    """Return where results that lie in a lake, told by its identity, are remembered.

    What is cached refers to commits of one lake, so each has a folder of its own: one for all would be
    overwritten by each change of the lake. `root` is the project's `.headrace`. The lake inside it has
    the plain name, so that a project may be moved with all that it has.
    """
    name = "stages"
    if lake != f"embedded:{root / 'lake'}":
        name += f"-{hashlib.sha256(lake.encode()).hexdigest()[:16]}"
    return root / "cache" / name


class FileStageCache:
    """Keeps one file a key under `root`, and one lock file a key under `root/locks`.

    Safe to use from several threads and processes of one machine. On a network file system the
    locks are only as good as its `flock`.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the record; None where there is none, or none that can be read whole."""
        path = self._path(key)
        try:
            outer = json.loads(path.read_bytes())
            record = json.loads(outer["result"])
        # A writer that was killed leaves half a file, and a foreign file may hold anything. Either
        # way the stage simply runs again.
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return record if isinstance(record, dict) else None

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Write the record so that a reader, Prefect included, sees all of it or nothing.

        Raises:
            TypeError: where the record is not plain JSON.
            ValueError: where a number is not finite, which JSON cannot say.
        """
        path = self._path(key)
        outer = {
            "metadata": {
                "storage_key": str(path),
                "expiration": None,
                "serializer": SERIALIZER,
                "storage_block_id": None,
            },
            "result": json.dumps(record, allow_nan=False),
        }
        self.root.mkdir(parents=True, exist_ok=True)
        temporary = self.root / f".{key}.{os.urandom(8).hex()}.tmp"
        try:
            temporary.write_text(json.dumps(outer), encoding="utf-8")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def forget(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Wait for the key, hold it, and let go. Not re-entrant: a second lock in a thread waits.

        Each caller opens the file anew, because an OS file lock belongs to the open file: so it
        holds between threads as between processes, and the kernel frees it when its holder dies.
        The file goes when its last user is done; whoever waited for a file that is gone sees that
        its path is another file now, and tries again.
        """
        path = self.root / "locks" / self._checked(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if _is_still_at(handle, path):
                    try:
                        yield
                    finally:
                        # Unlink before the lock goes: afterwards the file may be another's.
                        path.unlink(missing_ok=True)
                    return
            finally:
                os.close(handle)

    def _path(self, key: str) -> Path:
        return self.root / self._checked(key)

    @staticmethod
    def _checked(key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"the key of a stage is 64 hexadecimal digits, found {key!r}")
        return key


def _is_still_at(handle: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False
