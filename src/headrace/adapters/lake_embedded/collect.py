"""Garbage collection: what no branch, tag or staging area reaches goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.history import History
from headrace.adapters.lake_embedded.nodes import Nodes
from headrace.adapters.lake_embedded.objects import ObjectFiles
from headrace.adapters.lake_embedded.staging import Staging
from headrace.core.ports import MAIN, Branch, GcReport
from headrace.errors import ProtectedRef


class Collector:
    """Deletes branches, then removes the objects, tree nodes and commits that are unreachable."""

    def __init__(
        self, database: Database, history: History, nodes: Nodes, staging: Staging, files: ObjectFiles
    ) -> None:
        self._database = database
        self._history = history
        self._nodes = nodes
        self._staging = staging
        self._files = files

    def plan(self, branches: Iterable[Branch]) -> GcReport:
        """Say what `collect` would remove, and remove nothing.

        In the writer's slot as well: a put that is about to commit has its file in place already.
        """
        wanted = _checked(branches)
        with self._database.write() as connection:
            doomed = self._unmoved(wanted)
            _, _, digests = self._reachable(connection, doomed)
            return _report(doomed, self._garbage(digests))

    def collect(self, branches: Iterable[Branch]) -> GcReport:
        """Remove. The branches end in a transaction of their own, durably, before any file does.

        A process killed half-way, or a power cut, has then removed only files that nothing reaches,
        and the next collection does the rest. The writer's slot is held while files go: a put renames
        its bytes in and stages them inside that same slot, so no object is seen between the two, and
        none needs a grace period.
        """
        doomed = self._delete_branches(_checked(branches))
        with self._database.write() as connection:
            commits, nodes, digests = self._reachable(connection, ())
            garbage = self._garbage(digests)
            for digest in garbage:
                self._files.remove(digest)
            _keep_only(connection, "commits", "id", commits)
            _keep_only(connection, "nodes", "hash", {bytes.fromhex(node) for node in nodes})
            connection.executemany("DELETE FROM objects WHERE digest = ?", [(d,) for d in garbage])
            self._files.remove_leftovers()
        return _report(doomed, garbage)

    def _delete_branches(self, wanted: set[tuple[str, str]]) -> list[str]:
        if not wanted:
            return []
        with self._database.write(durable=True) as connection:
            doomed = self._unmoved(wanted)
            for name in doomed:
                connection.execute("DELETE FROM refs WHERE kind = 'branch' AND name = ?", (name,))
                self._staging.clear(name)
        return doomed

    def _unmoved(self, wanted: set[tuple[str, str]]) -> list[str]:
        return [found.name for found in self._history.refs("branch") if (found.name, found.commit) in wanted]

    def _garbage(self, reachable: set[str]) -> dict[str, int]:
        return {digest: size for digest, size in self._files.stored() if digest not in reachable}

    def _reachable(
        self, connection: sqlite3.Connection, doomed: Iterable[str]
    ) -> tuple[set[str], set[str], set[str]]:
        """Return the commits, tree nodes and objects that would be reached without some branches."""
        gone = set(doomed)
        refs = connection.execute("SELECT kind, name, target FROM refs")
        starts = {target for kind, name, target in refs if kind != "branch" or name not in gone}
        rows = list(self._history.newest_first(*sorted(starts)))
        staged = connection.execute("SELECT branch, digest FROM staging WHERE digest IS NOT NULL")
        digests = {digest for branch, digest in staged if branch not in gone}
        seen: set[str] = set()
        queue = [row.tree for row in rows]
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self._nodes.load(name)
            if node.level:
                queue.extend(node.values)
            else:
                digests.update(entry.digest for entry in node.values)
        return {row.commit.id for row in rows}, seen, digests


def _checked(branches: Iterable[Branch]) -> set[tuple[str, str]]:
    wanted = {(branch.name, branch.commit) for branch in branches}
    if any(name == MAIN for name, _ in wanted):
        raise ProtectedRef(f"{MAIN} is the default branch and cannot be collected; nothing was removed")
    return wanted


def _report(branches: list[str], garbage: dict[str, int]) -> GcReport:
    return GcReport(
        branches=tuple(branches),
        objects=len(garbage),
        bytes=sum(garbage.values()),
        digests=tuple(f"sha256:{digest}" for digest in sorted(garbage)),
    )


def _keep_only(
    connection: sqlite3.Connection, table: str, column: str, wanted: set[str] | set[bytes]
) -> None:
    found = {row[0] for row in connection.execute(f"SELECT {column} FROM {table}")}
    unwanted = [(key,) for key in found - wanted]
    connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", unwanted)
