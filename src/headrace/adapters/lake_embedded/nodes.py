"""The chunks of trees: immutable, named by their hash, shared by every tree that holds the same."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.names import canonical
from headrace.errors import ObjectDamaged

CACHED_NODES = 1024  # of about 64 entries each: 25 MB at most


class Entry(NamedTuple):
    """What a tree knows of an object. Two entries are the same object if all three are equal."""

    digest: str  # hex
    bytes: int
    metadata: dict[str, str]


class Node(NamedTuple):
    """Level 0 maps paths to entries; above it, the last key of each child to the child's hash."""

    level: int
    keys: list[str]
    values: list[Any]


class Nodes:
    """Reads and writes nodes, with the recent ones decoded in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, Node] = {}

    def load(self, digest: str) -> Node:
        node = self._cache.get(digest)
        if node is not None:
            return node
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT data FROM nodes WHERE hash = ?", (bytes.fromhex(digest),)
            ).fetchone()
            if row is None:
                raise ObjectDamaged(f"tree node {digest} is gone: a collection removed its commit")
            node = _decode(row[0])
            self._remember(digest, node)
        return node

    def save(self, level: int, keys: Sequence[str], values: Sequence[Any]) -> str:
        """Store a node and return its hash. Needs a write transaction."""
        with self._database.write() as connection:
            node = Node(level, list(keys), list(values))
            digest = insert_node(connection, node)
            self._remember(digest, node)
        return digest

    def _remember(self, digest: str, node: Node) -> None:
        if len(self._cache) >= CACHED_NODES:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = node


def insert_node(connection: sqlite3.Connection, node: Node) -> str:
    text = canonical([node.level, node.keys, node.values])
    digest = hashlib.sha256(b"headrace tree 1\n" + text.encode())
    # Inserted even if the cache knows it: what a rolled-back transaction saved is only cached.
    connection.execute(
        "INSERT OR IGNORE INTO nodes VALUES (?, ?)", (digest.digest(), zlib.compress(text.encode(), 1))
    )
    return digest.hexdigest()


def _decode(data: bytes) -> Node:
    level, keys, values = json.loads(zlib.decompress(data))
    return Node(level, keys, values if level else [Entry(*value) for value in values])
