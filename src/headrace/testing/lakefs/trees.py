"""Comparing and merging trees, object by object, on plain dicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.testing.lakefs.entry import Entry, Staging, Tree, same


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path of a diff; `size_bytes` is that of the entry added or changed, or of the one removed."""

    path: str
    kind: str
    size_bytes: int


class MergeConflictFound(Exception):
    """Both sides changed the same path, and no strategy says who wins."""


def overlay(tree: Tree, staging: Staging) -> Tree:
    """Return a tree with what is staged above it."""
    if not staging:
        return tree
    merged = dict(tree)
    for path, entry in staging.items():
        if entry is None:
            merged.pop(path, None)
        else:
            merged[path] = entry
    return merged


def differences(left: Tree, right: Tree) -> list[Difference]:
    """Say what is different on the right (two dots), in byte order of the paths."""
    found = [_difference(path, before, after) for path, before, after in changed(left, right)]
    return sorted(found, key=lambda difference: difference.path.encode())


def preview(dest: Tree, source: Tree, base: Tree) -> list[Difference]:
    """Say what a merge of `source` would change in `dest` (three dots); both changed is a conflict."""
    found = []
    for path, ours, theirs in changed(dest, source):
        ancestor = base.get(path)
        if same(theirs, ancestor):
            continue  # only dest changed it
        difference = _difference(path, ours, theirs)
        if not same(ours, ancestor):
            difference = Difference(path=path, kind="conflict", size_bytes=difference.size_bytes)
        found.append(difference)
    return sorted(found, key=lambda difference: difference.path.encode())


def merge(dest: Tree, source: Tree, base: Tree, strategy: str) -> Tree:
    """Merge three-way. Raises `MergeConflictFound` without a strategy."""
    merged = dict(dest)
    for path, ours, theirs in changed(dest, source):
        ancestor = base.get(path)
        if same(theirs, ancestor):
            continue
        if not same(ours, ancestor):
            if not strategy:
                raise MergeConflictFound(path)
            if strategy == "dest-wins":
                continue
        if theirs is None:
            del merged[path]
        else:
            merged[path] = theirs
    return merged


def changed(left: Tree, right: Tree) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Yield each path at which two trees differ, with what is left and right of it."""
    # Trees share the entries that stayed, so that identity settles all but a few.
    for path in [path for path, entry in left.items() if right.get(path) is not entry]:
        before, after = left[path], right.get(path)
        if not same(before, after):
            yield path, before, after
    for path in right.keys() - left.keys():
        yield path, None, right[path]


def _difference(path: str, before: Entry | None, after: Entry | None) -> Difference:
    shown = after or before
    kind = "added" if before is None else "removed" if after is None else "changed"
    return Difference(path=path, kind=kind, size_bytes=shown.size_bytes if shown else 0)
