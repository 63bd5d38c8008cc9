"""What is staged on a branch and not yet committed.

A row stands only for a difference from the branch's commit: staging what is committed already takes the
row away. So a branch is dirty exactly if it has rows, and a commit is empty exactly if it has none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.names import canonical, prefix_end
from headrace.adapters.lake_embedded.nodes import Entry
from headrace.adapters.lake_embedded.objects import Signature


class Staging:
    """Staged objects (and staged removals, as None) by branch and path."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, branch: str, path: str) -> tuple[bool, Entry | None]:
        """Return whether the path is staged, and as what."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT digest, bytes, metadata FROM staging WHERE branch = ? AND path = ?", (branch, path)
            ).fetchone()
        return (False, None) if row is None else (True, _entry(*row))

    def all(self, branch: str, prefix: str = "") -> dict[str, Entry | None]:
        """Return what is staged under `prefix`, in byte order of paths."""
        with self._database.read() as connection:
            where, values = _under(branch, prefix)
            rows = connection.execute(
                f"SELECT path, digest, bytes, metadata FROM staging WHERE {where} ORDER BY path", values
            )
            return {path: _entry(digest, size, metadata) for path, digest, size, metadata in rows}

    def any(self, branch: str) -> bool:
        with self._database.read() as connection:
            found = connection.execute("SELECT 1 FROM staging WHERE branch = ? LIMIT 1", (branch,))
            return found.fetchone() is not None

    def set(self, branch: str, entries: Mapping[str, tuple[Entry | None, Entry | None]]) -> None:
        """Stage objects (or with None removals) by path, each beside what the branch's commit holds."""
        clean, dirty = [], []
        for path, (entry, committed) in entries.items():
            if entry == committed:
                clean.append((branch, path))
                continue
            digest, size, metadata = entry or (None, None, None)
            dirty.append((branch, path, digest, size, None if metadata is None else canonical(metadata)))
        with self._database.write() as connection:
            connection.executemany("DELETE FROM staging WHERE branch = ? AND path = ?", clean)
            connection.executemany("INSERT OR REPLACE INTO staging VALUES (?, ?, ?, ?, ?)", dirty)

    def clear(self, branch: str, prefix: str = "") -> None:
        with self._database.write() as connection:
            where, values = _under(branch, prefix)
            connection.execute(f"DELETE FROM staging WHERE {where}", values)


class ObjectTable:
    """What is known of stored files: the state in which each was last hashed, and if it is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, digests: Iterable[str]) -> dict[str, Signature]:
        with self._database.read() as connection:
            query = "SELECT bytes, inode, mtime_ns FROM objects WHERE digest = ?"
            found = {digest: connection.execute(query, (digest,)).fetchone() for digest in digests}
        return {digest: row for digest, row in found.items() if row is not None}

    def record(self, hashed: Iterable[tuple[str, Signature]]) -> None:
        """Remember hashed files. A changed inode means new bytes, which no one has synced yet."""
        with self._database.write() as connection:
            connection.executemany(
                "INSERT INTO objects VALUES (?, ?, ?, ?, 0) ON CONFLICT (digest) DO UPDATE SET "
                "durable = durable AND inode = excluded.inode, bytes = excluded.bytes, "
                "inode = excluded.inode, mtime_ns = excluded.mtime_ns",
                [(digest, *signature) for digest, signature in hashed],
            )

    def not_durable(self, branch: str) -> set[str]:
        """Return the digests staged on a branch whose files may still be only in memory."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT DISTINCT digest FROM staging JOIN objects USING (digest) "
                "WHERE branch = ? AND durable = 0",
                (branch,),
            )
            return {row[0] for row in rows}

    def mark_durable(self, connection: sqlite3.Connection, digests: set[str]) -> None:
        connection.executemany(
            "UPDATE objects SET durable = 1 WHERE digest = ?", [(digest,) for digest in digests]
        )


def _entry(digest: str | None, size: int, metadata: str) -> Entry | None:
    return None if digest is None else Entry(digest, size, json.loads(metadata))


def _under(branch: str, prefix: str) -> tuple[str, list[str]]:
    end = prefix_end(prefix)
    if end is None:
        return "branch = ?", [branch]
    return "branch = ? AND path >= ? AND path < ?", [branch, prefix, end]
