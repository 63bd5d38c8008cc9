"""The writing half of the embedded lake, and the class that others use."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from pathlib import Path

from headrace.adapters.lake_embedded import trees
from headrace.adapters.lake_embedded.collect import Collector
from headrace.adapters.lake_embedded.history import CommitRow
from headrace.adapters.lake_embedded.intake import Intake
from headrace.adapters.lake_embedded.listing import object_info
from headrace.adapters.lake_embedded.merge import three_way
from headrace.adapters.lake_embedded.nodes import Entry
from headrace.adapters.lake_embedded.reading import EmbeddedReader
from headrace.core.lake_names import (
    check_branch_name,
    check_message,
    check_path,
    check_tag_name,
    checked_metadata,
)
from headrace.core.ports import MAIN, Branch, Commit, GcReport, MergeStrategy, ObjectInfo
from headrace.errors import (
    AlreadyExists,
    MergeConflict,
    NoChanges,
    ProtectedRef,
    RefNotFound,
    UncommittedChanges,
    Unsupported,
    did_you_mean,
)

BUSY_SECONDS = 60.0


class EmbeddedLake(EmbeddedReader):
    """A `LakeStore` in a folder, made at the first call together with an empty `main`.

    Share one among threads; a forked or spawned process may go on using it. The folder must be on a
    local disk: SQLite's write-ahead log does not work over NFS. With `shared_disk` there is no such log,
    and several machines may use the lake, as far as the locks of their file system hold (`fcntl`, and
    `flock` while it is made); whether they do, nobody here can tell. Commits, merges, tags and the end of a
    branch or tag survive a power cut; new branches and staging survive a killed process.

    A local path is the stored file itself, not a copy. It stays as long as a branch, a tag or a staging
    area reaches its object: a collection, by this process or another, takes it after the last of them.

    Args:
        root: The lake's folder.
        busy_seconds: How long to wait for another writer before `LakeBusy`.
        shared_disk: The folder is on a disk that several machines use.
    """

    def __init__(self, root: Path, busy_seconds: float = BUSY_SECONDS, shared_disk: bool = False) -> None:
        super().__init__(root, busy_seconds, shared_disk)
        self._intake = Intake(
            self._database, self._history, self._nodes, self._staging, self._table, self._files
        )

    def __repr__(self) -> str:
        return f"EmbeddedLake({str(self.root)!r})"

    def __reduce__(self) -> tuple[type[EmbeddedLake], tuple[Path, float, bool]]:
        return EmbeddedLake, (self.root, self._busy_seconds, self.shared_disk)

    def init(self) -> bool:
        """As the port says. Any other first call that writes makes the lake as well."""
        return self._database.create()

    def create_branch(self, name: str, source: str, exist_ok: bool = False) -> str:
        check_branch_name(name)
        with self._database.write() as connection:
            commit = self.resolve(source)
            existing = self._history.target("branch", name)
            if existing is not None:
                if exist_ok:
                    return existing
                raise AlreadyExists(f"branch {name!r} exists, at {existing[:12]}: choose another name")
            self._refuse_namesake("tag", name)
            connection.execute("INSERT INTO refs VALUES ('branch', ?, ?)", (name, commit))
        return commit

    def delete_branch(self, name: str) -> None:
        if name == MAIN:
            raise ProtectedRef(f"{MAIN} is the default branch and cannot be deleted; name another one")
        # Durable: a collection may remove files next, and no power cut may bring the branch back then.
        with self._database.write(durable=True) as connection:
            self._history.head(name)
            connection.execute("DELETE FROM refs WHERE kind = 'branch' AND name = ?", (name,))
            self._staging.clear(name)

    def put(
        self,
        branch: str,
        path: str,
        src: Path | bytes,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        consume: bool = False,
    ) -> ObjectInfo:
        """As the port says. A consumed file is moved where the file system allows, else removed."""
        return object_info(path, self._intake.put(branch, path, src, metadata, if_absent, consume))

    def put_many(
        self, branch: str, files: Mapping[str, Path], consume: bool = False
    ) -> builtins.list[ObjectInfo]:
        """As the port says. Two paths may share a source, which is consumed once both are staged."""
        entries = self._intake.put_many(branch, files, consume)
        return [object_info(path, entries[path]) for path in files]

    def link(self, branch: str, path: str, src_ref: str, src_path: str) -> ObjectInfo:
        check_path(path)
        with self._database.write():
            entry = self._entry(src_ref, src_path)
            self._staging.set(branch, {path: (entry, self._intake.committed(branch, path))})
        return object_info(path, entry)

    def delete(self, branch: str, paths: Iterable[str]) -> None:
        wanted = [paths] if isinstance(paths, str) else list(paths)
        with self._database.write():
            tree = self._history.head(branch).tree
            committed = {path: trees.lookup(self._nodes, tree, path) for path in wanted}
            self._staging.set(branch, {path: (None, entry) for path, entry in committed.items()})

    def commit(
        self,
        branch: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        check_message(message)
        stored = checked_metadata(metadata)
        synced = self._table.not_durable(branch)
        self._files.sync(synced)  # slow, so before the writer's slot is taken
        with self._database.write(durable=True) as connection:
            head = self._history.head(branch)
            staged = self._staging.all(branch)
            if not staged and not allow_empty:
                raise NoChanges(f"nothing staged on {branch!r} differs from its last commit")
            late = self._table.not_durable(branch) - synced
            self._files.sync(late)
            self._table.mark_durable(connection, synced | late)
            self._staging.clear(branch)
            return self._advance(branch, (head,), staged, message, stored)

    def reset(self, branch: str, prefix: str = "") -> None:
        with self._database.write():
            self._history.head(branch)
            self._staging.clear(branch, prefix)

    def merge(
        self,
        source: str,
        dest: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        strategy: MergeStrategy | None = None,
    ) -> Commit:
        """As the port says. What is staged on the source stays there: commits are merged."""
        stored = checked_metadata(metadata)
        if strategy not in (None, "source-wins", "dest-wins"):
            raise Unsupported(f"no merge strategy {strategy!r}: write 'source-wins' or 'dest-wins'")
        with self._database.write(durable=True):
            head = self._clean_head(dest)
            theirs = self._history.view(source).row
            base = self._history.merge_base(theirs.commit.id, head.commit.id)
            if base.tree == theirs.tree:
                raise NoChanges(f"{dest!r} already contains all of {source!r}")
            found = three_way(self._nodes, base.tree, theirs.tree, head.tree, strategy)
            if found.conflicts and strategy is None:
                raise MergeConflict(source, dest, found.conflicts)
            return self._advance(dest, (head, theirs), found.edits, message, stored)

    def revert(self, branch: str, ref: str, parent: int = 1) -> Commit:
        with self._database.write(durable=True):
            head = self._clean_head(branch)
            undone = self._history.view(ref).row
            parents = undone.commit.parents
            if not 1 <= parent <= len(parents):
                raise RefNotFound(
                    f"commit {undone.commit.id[:12]} has {len(parents)} parents, so it cannot be reverted "
                    f"relative to parent {parent}"
                )
            before = self._history.row(parents[parent - 1])
            found = three_way(self._nodes, undone.tree, before.tree, head.tree, None)
            if found.conflicts:
                raise MergeConflict(f"the revert of {undone.commit.id[:12]}", branch, found.conflicts)
            if not found.edits:
                raise NoChanges(f"{branch!r} holds nothing any more of what {undone.commit.id[:12]} changed")
            message = f"revert {undone.commit.id[:12]}: {undone.commit.message}"
            return self._advance(branch, (head,), found.edits, message, {})

    def tag(self, name: str, ref: str) -> str:
        check_tag_name(name)
        with self._database.write(durable=True) as connection:
            commit = self.resolve(ref)
            existing = self._history.target("tag", name)
            if existing is not None:
                raise AlreadyExists(f"tag {name!r} exists, at {existing[:12]}: choose another name")
            self._refuse_namesake("branch", name)
            connection.execute("INSERT INTO refs VALUES ('tag', ?, ?)", (name, commit))
        return commit

    def delete_tag(self, name: str) -> None:
        with self._database.write(durable=True) as connection:
            if self._history.target("tag", name) is None:
                names = [found.name for found in self.tags()]
                raise RefNotFound(f"no tag {name!r} in the lake: {did_you_mean(name, names)}")
            connection.execute("DELETE FROM refs WHERE kind = 'tag' AND name = ?", (name,))

    def gc(self, branches: Iterable[Branch] = (), dry_run: bool = False) -> GcReport:
        collector = Collector(self._database, self._history, self._nodes, self._staging, self._files)
        return collector.plan(branches) if dry_run else collector.collect(branches)

    def _clean_head(self, branch: str) -> CommitRow:
        head = self._history.head(branch)
        if self._staging.any(branch):
            paths = ", ".join(list(self._staging.all(branch))[:3])
            raise UncommittedChanges(
                f"branch {branch!r} has staged changes ({paths}): commit or reset it first"
            )
        return head

    def _advance(
        self,
        branch: str,
        parents: tuple[CommitRow, ...],
        edits: Mapping[str, Entry | None],
        message: str,
        metadata: Mapping[str, str],
    ) -> Commit:
        tree = trees.edit(self._nodes, parents[0].tree, edits)
        commit = self._history.append(parents, tree, message, metadata)
        self._history.move(branch, commit.id)
        return commit

    def _refuse_namesake(self, kind: str, name: str) -> None:
        """A ref expression tells no branch from a tag, so no two share a name."""
        if self._history.target(kind, name) is not None:
            raise AlreadyExists(f"there is a {kind} {name!r}: choose another name")
