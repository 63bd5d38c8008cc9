"""Listing in byte order: a tree with what is staged over it, folded at a delimiter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

from headrace.adapters.lake_embedded import trees
from headrace.adapters.lake_embedded.names import prefix_end
from headrace.adapters.lake_embedded.nodes import Entry, Nodes
from headrace.core.ports import CommonPrefix, ObjectInfo


def entries_from(
    nodes: Nodes, root: str, staged: Mapping[str, Entry | None], start: str
) -> Iterator[tuple[str, Entry]]:
    """Yield a branch's objects from the first path not below `start`; `staged` is in order."""
    paths = list(staged)
    at = bisect_left(paths, start)
    for path, entry in trees.walk(nodes, root, start):
        while at < len(paths) and paths[at] < path:
            yield from _present(paths[at], staged[paths[at]])
            at += 1
        if at < len(paths) and paths[at] == path:
            yield from _present(path, staged[path])
            at += 1
        else:
            yield path, entry
    for path in paths[at:]:
        yield from _present(path, staged[path])


def fold(
    entries: Callable[[str], Iterator[tuple[str, Entry]]], prefix: str, delimiter: str, after: str
) -> Iterator[ObjectInfo | CommonPrefix]:
    """Yield what lies under `prefix` and above `after`; a folder is passed over without reading it.

    Args:
        entries: Gives paths and entries in order, from the first one not below its argument.
    """
    start: str | None = max(prefix, after + "\0" if after else "")
    while start is not None:
        found = entries(start)
        start = None
        for path, entry in found:
            if not path.startswith(prefix):
                return
            cut = path.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                yield object_info(path, entry)
                continue
            folder = path[: cut + len(delimiter)]
            if folder > after:
                yield CommonPrefix(folder)
            start = prefix_end(folder)
            break


def _present(path: str, entry: Entry | None) -> Iterator[tuple[str, Entry]]:
    if entry is not None:
        yield path, entry


def object_info(path: str, entry: Entry) -> ObjectInfo:
    return ObjectInfo(
        path=path, digest=f"sha256:{entry.digest}", bytes=entry.bytes, metadata=dict(entry.metadata)
    )
