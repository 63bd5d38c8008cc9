"""Branches and tags on a lakeFS server."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.adapters.lake_lakefs.reading import LakeFSReader, is_commit_id
from headrace.core.lake_names import check_branch_name, check_tag_name
from headrace.core.ports import MAIN, Branch, GcReport
from headrace.errors import AlreadyExists, InvalidName, ProtectedRef, RefNotFound, did_you_mean

KEPT_BY_SERVER = (
    "lakeFS keeps the bytes until its own garbage collection runs: a Spark job in its open-source edition, "
    "and none for local storage (docs/how-to/team.md)"
)


class LakeFSRefs(LakeFSReader):
    """Names for commits: made, moved out of the way, and deleted."""

    def create_branch(self, name: str, source: str, exist_ok: bool = False) -> str:
        check_branch_name(name)
        commit = source if is_commit_id(source) else self.resolve(source)
        try:
            self._connection.call(
                f"create branch {name!r}",
                "branches.create_branch",
                body=("BranchCreation", {"name": name, "source": commit}),
                done=lambda: True if self._branch_commit(name) == commit else None,
            )
        except AlreadyExists:
            existing = self._branch_commit(name)
            if exist_ok and existing is not None:
                return existing
            at = f", at {existing[:12]}" if existing else ""
            raise AlreadyExists(f"branch {name!r} exists{at}: choose another name") from None
        except RefNotFound:
            raise self._no_ref(source) from None
        return commit

    def delete_branch(self, name: str) -> None:
        if name == MAIN:
            raise ProtectedRef(f"{MAIN} is the default branch and cannot be deleted; name another one")
        try:
            self._connection.call(
                f"delete branch {name!r}",
                "branches.delete_branch",
                name,
                done=lambda: True if self._branch_commit(name) is None else None,
            )
        except (RefNotFound, InvalidName):
            raise self._no_branch(name) from None

    def tag(self, name: str, ref: str) -> str:
        check_tag_name(name)
        commit = self.resolve(ref)
        try:
            self._connection.call(
                f"create tag {name!r}",
                "tags.create_tag",
                body=("TagCreation", {"id": name, "ref": commit}),
                done=lambda: True if self._tag_commit(name) == commit else None,
            )
        except AlreadyExists:
            raise AlreadyExists(f"tag {name!r} exists: choose another name") from None
        return commit

    def delete_tag(self, name: str) -> None:
        try:
            self._connection.call(
                f"delete tag {name!r}",
                "tags.delete_tag",
                name,
                done=lambda: True if self._tag_commit(name) is None else None,
            )
        except (RefNotFound, InvalidName):
            names = [found.name for found in self.tags()]
            raise RefNotFound(f"no tag {name!r} in the lake: {did_you_mean(name, names)}") from None

    def gc(self, branches: Iterable[Branch] = (), dry_run: bool = False) -> GcReport:
        """As the port says. The server keeps the bytes, and the report says so."""
        wanted = list(branches)
        if any(branch.name == MAIN for branch in wanted):
            raise ProtectedRef(f"{MAIN} is the default branch and cannot be deleted; name another one")
        # By name, and each once, however often it was given.
        given = sorted({(branch.name, branch.commit) for branch in wanted})
        gone, refused = [], []
        for name, commit in given:
            if self._branch_commit(name) != commit:
                continue
            try:
                if not dry_run:
                    self.delete_branch(name)
            except RefNotFound:
                continue  # somebody else was quicker
            except ProtectedRef as error:
                refused.append(str(error))
                continue
            gone.append(name)
        if refused:
            raise ProtectedRef("\n  ".join([f"{len(gone)} branches are deleted, and not these:", *refused]))
        return GcReport(branches=tuple(gone), objects=0, bytes=0, digests=(), kept_by_server=KEPT_BY_SERVER)

    def _branch_commit(self, name: str) -> str | None:
        return self._commit_of("branches.get_branch", "branch", name)

    def _tag_commit(self, name: str) -> str | None:
        return self._commit_of("tags.get_tag", "tag", name)

    def _commit_of(self, operation: str, kind: str, name: str) -> str | None:
        if not name:
            return None
        try:
            found = self._connection.call(f"look at {kind} {name!r}", operation, name)
        except (RefNotFound, InvalidName):
            return None
        return str(found["commit_id"])

    def _no_branch(self, name: str) -> RefNotFound:
        names = [found.name for found in self.branches()]
        return RefNotFound(f"no branch {name!r} in the lake: {did_you_mean(name, names)}")
