"""The reading half of the embedded lake."""

from __future__ import annotations

import builtins
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from headrace.adapters.lake_embedded import trees
from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.history import History, View, insert_commit
from headrace.adapters.lake_embedded.listing import entries_from, fold, object_info
from headrace.adapters.lake_embedded.merge import overlay, three_way
from headrace.adapters.lake_embedded.nodes import Entry, Node, Nodes, insert_node
from headrace.adapters.lake_embedded.objects import HASHING_THREADS, ObjectFiles, Signature
from headrace.adapters.lake_embedded.staging import ObjectTable, Staging
from headrace.core.ports import MAIN, Branch, Change, Commit, CommonPrefix, ObjectInfo
from headrace.errors import LakeRetryableError, ObjectNotFound, RepositoryNotFound, did_you_mean

NAMES_TO_SUGGEST_FROM = 100


class EmbeddedReader:
    """Answers questions about a lake; `EmbeddedLake` adds the writing."""

    def __init__(self, root: Path, busy_seconds: float, shared_disk: bool = False) -> None:
        self.root = Path(root)
        self.shared_disk = shared_disk
        self._busy_seconds = busy_seconds
        self._database = Database(self.root / "lake.db", _first_commit, busy_seconds, shared_disk)
        self._nodes = Nodes(self._database)
        self._history = History(self._database)
        self._staging = Staging(self._database)
        self._table = ObjectTable(self._database)
        self._files = ObjectFiles(self.root)

    @property
    def identity(self) -> str:
        return f"embedded:{self.root.absolute()}"

    def require(self) -> None:
        if not self._database.file.exists():
            raise RepositoryNotFound(
                f"no lake here ({self.root.absolute()}); a first run or `headrace lake import` makes it"
            )

    def resolve(self, ref: str) -> str:
        return self._history.view(ref).row.commit.id

    def branches(self, prefix: str = "") -> builtins.list[Branch]:
        return self._history.refs("branch", prefix)

    def tags(self, prefix: str = "") -> builtins.list[Branch]:
        return self._history.refs("tag", prefix)

    def stat(self, ref: str, path: str) -> ObjectInfo:
        return object_info(path, self._entry(ref, path))

    def list(
        self, ref: str, prefix: str = "", delimiter: str = "", after: str = ""
    ) -> Iterator[ObjectInfo | CommonPrefix]:
        # What is shown is fixed by the call, not by the first `next`: the ref is resolved here.
        with self._database.read():
            view = self._history.view(ref)
            staged = {} if view.staged is None else self._staging.all(view.staged, prefix)

        def entries(start: str) -> Iterator[tuple[str, Entry]]:
            return entries_from(self._nodes, view.row.tree, staged, start)

        return fold(entries, prefix, delimiter, after)

    def open(self, ref: str, path: str) -> BinaryIO:
        return self.local_path(ref, path).open("rb")

    def local_path(self, ref: str, path: str) -> Path:
        return self.local_paths(ref, [self.stat(ref, path)])[0]

    def local_paths(self, ref: str, objects: Sequence[ObjectInfo]) -> builtins.list[Path]:
        """As the port says. Costs one `stat` for each file, where its bytes were hashed before."""
        wanted = {info.digest.removeprefix("sha256:"): info.path for info in objects}
        known = self._table.known(wanted)
        unsure = [
            digest
            for digest in wanted
            if digest not in known or self._files.signature(digest) != known[digest]
        ]

        def verify(digest: str) -> tuple[str, Signature]:
            where = f"object {wanted[digest]!r} at {ref!r} is damaged"
            return digest, self._files.verify(digest, where)

        if len(unsure) == 1:
            self._remember([verify(unsure[0])])
        elif unsure:
            from concurrent.futures import ThreadPoolExecutor  # 8 ms that one file does not pay

            with ThreadPoolExecutor(HASHING_THREADS) as pool:
                self._remember(list(pool.map(verify, unsure)))
        return [self._files.path(info.digest.removeprefix("sha256:")) for info in objects]

    def diff(
        self, left: str, right: str, prefix: str = "", mode: Literal["two_dot", "three_dot"] = "two_dot"
    ) -> builtins.list[Change]:
        """As the port says. `three_dot` looks at commits only, as a merge does, and marks conflicts."""
        with self._database.read():
            ours, theirs = self._history.view(left), self._history.view(right)
            conflicts: set[str] = set()
            if mode == "two_dot":
                found = self._two_dot(ours, theirs)
            else:
                base = self._base_tree(ours, theirs)
                merged = three_way(self._nodes, base, theirs.row.tree, ours.row.tree, None)
                conflicts = set(merged.conflicts)
                # What both sides did alike, a merge would not bring.
                found = {
                    path: (trees.lookup(self._nodes, ours.row.tree, path), after)
                    for path, (_, after) in trees.diff(self._nodes, base, theirs.row.tree).items()
                    if path in conflicts or path in merged.edits
                }
        return [
            Change(path, "conflict" if path in conflicts else _kind(before, after))
            for path, (before, after) in found.items()
            if path.startswith(prefix)
        ]

    def log(self, ref: str, limit: int | None = None, first_parent: bool = False) -> builtins.list[Commit]:
        with self._database.read():
            start = self.resolve(ref)
            walk = self._history.first_parents if first_parent else self._history.newest_first
            return [row.commit for row in islice(walk(start), limit)]

    def close(self) -> None:
        """Give up the file handles; the lake opens again when it is next used."""
        self._database.close()

    def _entry(self, ref: str, path: str) -> Entry:
        with self._database.read():
            view = self._history.view(ref)
            entry = self._look(view, path)
            if entry is None:
                raise ObjectNotFound(f"no object {path!r} at {ref!r}: {self._near(view, path)}")
        return entry

    def _look(self, view: View, path: str) -> Entry | None:
        if view.staged is not None:
            is_staged, entry = self._staging.get(view.staged, path)
            if is_staged:
                return entry
        return trees.lookup(self._nodes, view.row.tree, path)

    def _near(self, view: View, path: str) -> str:
        """Suggest from the same folder, else from the beginning of the lake; never from all of it."""
        staged = {} if view.staged is None else self._staging.all(view.staged)
        for folder in dict.fromkeys((path.rpartition("/")[0], "")):
            found = (name for name, _ in entries_from(self._nodes, view.row.tree, staged, folder))
            if names := list(islice(found, NAMES_TO_SUGGEST_FROM)):
                return did_you_mean(path, names)
        return "there are none"

    def _two_dot(self, left: View, right: View) -> trees.TreeDiff:
        found = trees.diff(self._nodes, left.row.tree, right.row.tree)
        staged = {path for view in (left, right) if view.staged for path in self._staging.all(view.staged)}
        if not staged:
            return found
        paths = found.keys() | staged
        sides = [{path: self._look(view, path) for path in paths} for view in (left, right)]
        return overlay(sides[0], sides[1], paths)

    def _base_tree(self, ours: View, theirs: View) -> str:
        return self._history.merge_base(ours.row.commit.id, theirs.row.commit.id).tree

    def _remember(self, hashed: builtins.list[tuple[str, Signature]]) -> None:
        try:
            self._table.record(hashed)
        except LakeRetryableError:
            return  # a reader owes the cache nothing: the next one hashes again


def _first_commit(connection: sqlite3.Connection) -> None:
    """Give a new lake its `main`: an empty commit, from which every other one descends."""
    tree = insert_node(connection, Node(0, [], []))
    root = insert_commit(connection, (), tree, 0, "lake created", {}, time.time())
    connection.execute("INSERT INTO refs VALUES ('branch', ?, ?)", (MAIN, root.id))


def _kind(before: Entry | None, after: Entry | None) -> Literal["added", "removed", "changed"]:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"
