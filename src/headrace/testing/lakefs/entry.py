"""Objects, commits and branches as the stand-in keeps them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

DEFAULT_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One object: `checksum` is what the storage calls it, `mtime` is in seconds since the epoch."""

    checksum: str
    size_bytes: int
    physical_address: str
    mtime: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = DEFAULT_CONTENT_TYPE

    @cached_property
    def identity(self) -> str:
        """What makes two objects the same to lakeFS: neither time nor address is part of it."""
        parts = [self.checksum, self.size_bytes, dict(sorted(self.metadata.items())), self.content_type]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


Tree = dict[str, Entry]
EMPTY_RANGE = "0" * 64
Staging = dict[str, Entry | None]  # None is a tombstone


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit with its whole tree; `number` counts the commits of a repository in order of creation."""

    id: str
    parents: tuple[str, ...]
    message: str
    metadata: Mapping[str, str]
    committer: str
    creation_date: int
    meta_range_id: str
    generation: int
    number: int
    tree: Tree

    @cached_property
    def order(self) -> list[bytes]:
        """The paths of the tree in byte order."""
        return sorted(path.encode() for path in self.tree)


@dataclass(kw_only=True)
class Branch:
    """A branch: its head, and what is staged on it."""

    commit: str
    staging: Staging = field(default_factory=dict)
    hidden: bool = False


def same(left: Entry | None, right: Entry | None) -> bool:
    """Tell whether two places hold the same object, or both none."""
    if left is right:
        return True
    return left is not None and right is not None and left.identity == right.identity


def meta_range_id(before: str, changes: Iterable[tuple[str, Entry | None, Entry | None]]) -> str:
    """Name a tree by its content, from the name of the tree before and what changed.

    Equal trees have equal names, whatever their history: the name is the sum of the entries' digests.
    """
    total = int(before, 16)
    for path, old, new in changes:
        total += _weight(path, new) - _weight(path, old)
    return f"{total % (1 << 256):064x}"


def _weight(path: str, entry: Entry | None) -> int:
    if entry is None:
        return 0
    return int.from_bytes(hashlib.sha256(f"{len(path)}:{path}{entry.identity}".encode()).digest())
