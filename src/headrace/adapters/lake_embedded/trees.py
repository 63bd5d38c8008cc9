"""Trees as chunks cut where the hash of a key says so.

A chunk ends at a key whose hash has zeros in the bits of its level, so a chunk holds about 64 entries,
the cuts depend on the keys alone, and a mapping has exactly one tree, whatever edits led there (the
idea of prolly trees: https://docs.dolthub.com/architecture/storage-engine/prolly-tree). Equal parts of
two trees have equal hashes and are skipped: edits, diffs and merges cost what changed, not what exists.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.adapters.lake_embedded.nodes import Entry, Node, Nodes

BITS = 6
MASK = (1 << BITS) - 1  # so 64 entries in a chunk, on average
LEVELS = 10  # as many as fit into a 64-bit hash

TreeDiff = dict[str, tuple[Entry | None, Entry | None]]


def lookup(nodes: Nodes, root: str, path: str) -> Entry | None:
    node = nodes.load(root)
    while True:
        at = bisect_left(node.keys, path)
        if at == len(node.keys):
            return None
        if node.level == 0:
            entry: Entry = node.values[at]
            return entry if node.keys[at] == path else None
        node = nodes.load(node.values[at])


def walk(nodes: Nodes, root: str, start: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield paths and entries in order, from the first path that is not below `start`."""
    node = nodes.load(root)
    first = bisect_left(node.keys, start)
    if node.level == 0:
        yield from zip(node.keys[first:], node.values[first:], strict=True)
        return
    for child in node.values[first:]:
        yield from walk(nodes, child, start)


def edit(nodes: Nodes, root: str, edits: Mapping[str, Entry | None]) -> str:
    """Return the root of the tree with `edits` applied; None removes a path."""
    top = nodes.load(root)
    pending: dict[str, Any] = dict(edits)
    for level in range(top.level + 1):
        pending = _edit_level(nodes, root, level, pending)
        if not pending:
            return root
    # To the level above, an edited level is a map of last keys to hashes: the same thing again.
    items = _apply([top.keys[-1]] if top.keys else [], [root] if top.keys else [], list(pending.items()))
    level = top.level + 1
    while len(items) > 1:
        items = _write_chunks(nodes, level, items)
        level += 1
    if not items:
        return nodes.save(0, [], [])
    root = items[0][1]
    while len((node := nodes.load(root)).keys) == 1 and node.level > 0:
        root = node.values[0]
    return root


def diff(nodes: Nodes, left: str, right: str) -> TreeDiff:
    """Return each path that differs, with what it is on the left and on the right."""
    sides = [{left}, {right}]
    levels = [nodes.load(left).level, nodes.load(right).level]
    while True:
        if levels[0] == levels[1]:
            sides = [sides[0] - sides[1], sides[1] - sides[0]]
            if levels[0] == 0:
                break
        deepest = max(levels)
        for side in (0, 1):
            if levels[side] == deepest:
                sides[side] = {child for node in sides[side] for child in nodes.load(node).values}
                levels[side] -= 1
    before, after = (_entries(nodes, side) for side in sides)
    return {
        path: (before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }


def _entries(nodes: Nodes, leaves: set[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for leaf in leaves:
        node = nodes.load(leaf)
        found.update(zip(node.keys, node.values, strict=True))
    return found


def _edit_level(nodes: Nodes, root: str, level: int, edits: Mapping[str, Any]) -> dict[str, Any]:
    """Rewrite the chunks of one level that `edits` touch; return the edits for the level above."""
    queue = sorted(edits.items())
    keys = [key for key, _ in queue]
    removed: dict[str, str] = {}
    added: dict[str, str] = {}
    at = 0
    while at < len(queue):
        key, items = keys[at], []
        while True:
            digest, node, is_last = _seek(nodes, root, level, key)
            upper = node.keys[-1] if node.keys else ""
            end = len(queue) if is_last else bisect_right(keys, upper, at)
            items += _apply(node.keys, node.values, queue[at:end])
            at = end
            if node.keys:
                removed[upper] = digest
            if is_last or not items or _ends_chunk(items[-1][0], level):
                break
            key = upper + "\0"  # the key that ended this chunk is gone: it runs on into the next one
        added.update(_write_chunks(nodes, level, items))
    changed = removed.keys() | added.keys()
    return {key: added.get(key) for key in changed if removed.get(key) != added.get(key)}


def _seek(nodes: Nodes, root: str, level: int, key: str) -> tuple[str, Node, bool]:
    """Find the chunk of `level` that holds or would hold `key`, and whether it is the level's last."""
    digest, node, is_last = root, nodes.load(root), True
    while node.level > level:
        at = min(bisect_left(node.keys, key), len(node.keys) - 1)
        is_last = is_last and at == len(node.keys) - 1
        digest = node.values[at]
        node = nodes.load(digest)
    return digest, node, is_last


def _apply(
    keys: Sequence[str], values: Sequence[Any], edits: Sequence[tuple[str, Any]]
) -> list[tuple[str, Any]]:
    merged = dict(zip(keys, values, strict=True))
    for key, value in edits:
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return sorted(merged.items(), key=_first)


def _write_chunks(nodes: Nodes, level: int, items: Sequence[tuple[str, Any]]) -> list[tuple[str, str]]:
    chunks: list[tuple[str, str]] = []
    keys: list[str] = []
    values: list[Any] = []
    for at, (key, value) in enumerate(items):
        keys.append(key)
        values.append(value)
        if at == len(items) - 1 or _ends_chunk(key, level):
            chunks.append((key, nodes.save(level, keys, values)))
            keys, values = [], []
    return chunks


def _ends_chunk(key: str, level: int) -> bool:
    if level >= LEVELS:
        return False
    bits = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return (bits >> (BITS * level)) & MASK == 0


def _first(item: tuple[str, Any]) -> str:
    return item[0]
