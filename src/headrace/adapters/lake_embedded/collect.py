"""Garbage collection: what no branch, tag or staging area reaches goes."""

from __future__ import annotations

import sqlite3

from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.history import History
from headrace.adapters.lake_embedded.nodes import Nodes
from headrace.adapters.lake_embedded.objects import ObjectFiles
from headrace.core.ports import GcReport


def collect(
    database: Database, history: History, nodes: Nodes, files: ObjectFiles, dry_run: bool
) -> GcReport:
    """Remove unreachable objects, tree nodes and commits.

    The writer's slot is held throughout. A put renames its bytes in and stages them inside that same
    slot, so no object is seen between the two, and none needs a grace period. Killed half-way, it has
    removed only files that nothing reaches, and the next collection does the rest.
    """
    with database.write() as connection:
        commits, tree_nodes, digests = _reachable(connection, history, nodes)
        garbage = {digest: size for digest, size in files.stored() if digest not in digests}
        if not dry_run:
            for digest in garbage:
                files.remove(digest)
            _keep_only(connection, "commits", "id", commits)
            _keep_only(connection, "nodes", "hash", {bytes.fromhex(node) for node in tree_nodes})
            connection.executemany("DELETE FROM objects WHERE digest = ?", [(d,) for d in garbage])
            files.remove_leftovers()
    return GcReport(
        objects=len(garbage),
        bytes=sum(garbage.values()),
        digests=tuple(f"sha256:{digest}" for digest in sorted(garbage)),
    )


def _reachable(
    connection: sqlite3.Connection, history: History, nodes: Nodes
) -> tuple[set[str], set[str], set[str]]:
    starts = [row[0] for row in connection.execute("SELECT DISTINCT target FROM refs")]
    rows = list(history.newest_first(*starts))
    staged = connection.execute("SELECT digest FROM staging WHERE digest IS NOT NULL")
    digests = {row[0] for row in staged}
    seen: set[str] = set()
    queue = [row.tree for row in rows]
    while queue:
        digest = queue.pop()
        if digest in seen:
            continue
        seen.add(digest)
        node = nodes.load(digest)
        if node.level:
            queue.extend(node.values)
        else:
            digests.update(entry.digest for entry in node.values)
    return {row.commit.id for row in rows}, seen, digests


def _keep_only(
    connection: sqlite3.Connection, table: str, column: str, wanted: set[str] | set[bytes]
) -> None:
    found = {row[0] for row in connection.execute(f"SELECT {column} FROM {table}")}
    unwanted = [(key,) for key in found - wanted]
    connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", unwanted)
