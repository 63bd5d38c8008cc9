"""Commits, merges and reverts on a lakeFS server, each made once however often its answer is lost."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from headrace.adapters.lake_lakefs.reading import REQUEST, commit_from
from headrace.adapters.lake_lakefs.refs import LakeFSRefs
from headrace.core.lake_names import check_message, checked_metadata
from headrace.core.ports import Commit, MergeStrategy
from headrace.errors import (
    AlreadyExists,
    InvalidName,
    LakeError,
    LakeUnavailable,
    MergeConflict,
    NoChanges,
    RefNotFound,
    UncommittedChanges,
    Unsupported,
)

RECENT = 100  # commits among which one whose answer was lost is looked for


class LakeFSCommits(LakeFSRefs):
    """What makes a commit. Each carries a request's id, by which it is found again."""

    def commit(
        self,
        branch: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        check_message(message)
        request = _request_id(metadata)
        fields = {
            "message": message,
            "metadata": {**checked_metadata(metadata), REQUEST: request},
            "allow_empty": allow_empty,
        }
        try:
            made = self._connection.call(
                f"commit to branch {branch!r}",
                "commits.commit",
                branch,
                body=("CommitCreation", fields),
                done=lambda: self._made_by(branch, request),
            )
        except NoChanges:
            raise NoChanges(f"nothing staged on {branch!r} differs from its last commit") from None
        except (RefNotFound, InvalidName):
            if self._branch_commit(branch) is None:
                raise self._no_branch(branch) from None
            raise  # such as an empty message
        return commit_from(made)

    def merge(
        self,
        source: str,
        dest: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        strategy: MergeStrategy | None = None,
    ) -> Commit:
        if strategy not in (None, "source-wins", "dest-wins"):
            raise Unsupported(f"no merge strategy {strategy!r}: write 'source-wins' or 'dest-wins'")
        request = _request_id(metadata)
        fields = {
            "message": message,
            "metadata": {**checked_metadata(metadata), REQUEST: request},
            "strategy": strategy,
        }
        try:
            made = self._connection.call(
                f"merge {source!r} into {dest!r}",
                "refs.merge_into_branch",
                source,
                dest,
                body=("Merge", fields),
                done=lambda: self._made_by(dest, request),
            )
        except NoChanges:
            raise NoChanges(f"{dest!r} already contains all of {source!r}") from None
        except UncommittedChanges:
            raise self._staged_changes(dest) from None
        except AlreadyExists:
            changes = self.diff(dest, source, mode="three_dot")
            raise MergeConflict(source, dest, [c.path for c in changes if c.kind == "conflict"]) from None
        except (RefNotFound, InvalidName):
            if self._branch_commit(dest) is None:
                raise self._no_branch(dest) from None
            if source == dest:  # which a server may call invalid instead
                raise NoChanges(f"{dest!r} already contains all of itself") from None
            raise self._no_ref(source) from None
        if "parents" in made:
            return commit_from(made)
        try:
            return self._head(made["reference"])
        except LakeError as error:
            done = f"the merge is made, as {made['reference']}, and cannot be read back"
            raise LakeUnavailable(f"{done}: {error}") from error

    def revert(self, branch: str, ref: str, parent: int = 1) -> Commit:
        undone = self._head(ref)
        if not 1 <= parent <= len(undone.parents):
            raise RefNotFound(
                f"commit {undone.id[:12]} has {len(undone.parents)} parents, so it cannot be reverted "
                f"relative to parent {parent}"
            )
        request = _request_id({})
        message = f"revert {undone.id[:12]}: {undone.message}"
        overrides = {"message": message, "metadata": {REQUEST: request}}
        model = self._connection.client.model
        fields = {
            "ref": undone.id,
            "parent_number": parent,
            "commit_overrides": model("CommitOverrides", overrides),
        }
        what = f"revert {undone.id[:12]} on branch {branch!r}"
        body = ("RevertCreation", fields)
        find = partial(self._made_by, branch, request)
        before = self._branch_commit(branch)
        try:
            self._connection.call(what, "branches.revert_branch", branch, body=body, done=find)
        except NoChanges:
            raise NoChanges(f"{branch!r} holds nothing any more of what {undone.id[:12]} changed") from None
        except UncommittedChanges:
            raise self._staged_changes(branch) from None
        except AlreadyExists:
            paths = self._kept_since(undone.parents[parent - 1], undone.id, branch)
            raise MergeConflict(f"the revert of {undone.id[:12]}", branch, paths) from None
        except RefNotFound:
            raise self._no_branch(branch) from None
        if made := find():
            return commit_from(made)
        head = self._head(f"{branch}@")  # a server that knows no `commit_overrides` yet
        if head.parents[:1] != (before,):
            raise LakeError(f"{what}: the revert is made, and other commits with it; see the branch's log")
        return head

    def _made_by(self, branch: str, request: str) -> dict[str, Any] | None:
        """Find the commit of a request whose answer was lost."""
        what = f"look for the commit on branch {branch!r} whose answer was lost"
        recent = self._connection.call(what, "refs.log_commits", branch, amount=RECENT, first_parent=True)[
            "results"
        ]
        return next((c for c in recent if (c.get("metadata") or {}).get(REQUEST) == request), None)

    def _staged_changes(self, branch: str) -> UncommittedChanges:
        what = f"see what is staged on branch {branch!r}"
        found = self._connection.call(what, "branches.diff_branch", branch, amount=3)["results"]
        paths = ", ".join(item["path"] for item in found)
        return UncommittedChanges(f"branch {branch!r} has staged changes ({paths}): commit or reset it first")

    def _kept_since(self, before: str, undone: str, branch: str) -> set[str]:
        """Return what a commit changed and what was changed again after it, and not back."""
        head = self.resolve(f"{branch}@")
        sides = [(before, undone), (undone, head), (before, head)]
        return set.intersection(*({c.path for c in self.diff(*side)} for side in sides))


def _request_id(metadata: Mapping[str, str] | None) -> str:
    """Return what marks one commit or merge: the run's id, where there is one, and something unique."""
    run = (metadata or {}).get("run")
    return f"{run}/{uuid.uuid4().hex}" if run else uuid.uuid4().hex
