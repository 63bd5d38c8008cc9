"""Three-way merging, object by object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from headrace.adapters.lake_embedded import trees
from headrace.adapters.lake_embedded.nodes import Entry, Nodes
from headrace.core.ports import MergeStrategy


class Merged(NamedTuple):
    """`edits` turn the destination into the result; `conflicts` are decided only by a strategy."""

    edits: dict[str, Entry | None]
    conflicts: list[str]


def three_way(nodes: Nodes, base: str, source: str, dest: str, strategy: MergeStrategy | None) -> Merged:
    """Bring what `source` changed since `base` to `dest`. All are roots of trees."""
    theirs = trees.diff(nodes, base, source)
    ours = trees.diff(nodes, base, dest)
    edits: dict[str, Entry | None] = {}
    conflicts: list[str] = []
    for path, (_, wanted) in theirs.items():
        if path in ours:
            if ours[path][1] == wanted:
                continue
            conflicts.append(path)
            if strategy != "source-wins":
                continue
        edits[path] = wanted
    return Merged(edits, conflicts)


def overlay(
    left: dict[str, Entry | None], right: dict[str, Entry | None], paths: Iterable[str]
) -> trees.TreeDiff:
    """Return those of `paths` at which the two maps differ."""
    return {
        path: (left.get(path), right.get(path)) for path in sorted(paths) if left.get(path) != right.get(path)
    }
