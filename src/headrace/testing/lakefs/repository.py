"""One repository of the stand-in: refs, staging and commits, in plain dicts under one lock."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping

from headrace.testing.lakefs.entry import EMPTY_RANGE, Branch, Commit, Entry, Tree, meta_range_id, same
from headrace.testing.lakefs.names import check_branch, check_tag
from headrace.testing.lakefs.refs import Resolved, resolve, resolve_commit
from headrace.testing.lakefs.refusal import Refusal, conflict, no_changes, not_found
from headrace.testing.lakefs.trees import changed, overlay


class Repository:
    """Hold `lock` (re-entrant) while reading or writing any of it from outside."""

    def __init__(self, name: str, namespace: str, default_branch: str, committer: str) -> None:
        self.name = name
        self.namespace = namespace
        self.default_branch = default_branch
        self.created = int(time.time())
        self.lock = threading.RLock()
        self.commits: dict[str, Commit] = {}
        self.branches: dict[str, Branch] = {}
        self.tags: dict[str, str] = {}
        check_branch(default_branch)
        first = self.add_commit((), {}, "Repository created", {}, committer)
        self.branches[default_branch] = Branch(commit=first.id)

    # --- refs ---------------------------------------------------------------------------------

    def branch(self, name: str) -> Branch:
        if name not in self.branches:
            raise not_found("branch")
        return self.branches[name]

    def resolve(self, ref: str) -> Resolved:
        return resolve(self, ref)

    def commit_of(self, ref: str) -> Commit:
        return self.commits[resolve_commit(self, ref)]

    def create_branch(self, name: str, source: str, hidden: bool = False) -> str:
        check_branch(name)
        commit = self.commit_of(source)
        if name in self.branches:
            raise conflict("branch already exists")
        if name in self.tags or name in self.commits:
            raise conflict(f"branch ID {name} already exists as a tag or commit: conflict found")
        self.branches[name] = Branch(commit=commit.id, hidden=hidden)
        return commit.id

    def delete_branch(self, name: str) -> None:
        self.branch(name)
        if name == self.default_branch:
            raise Refusal(403, "cannot delete repository default branch")
        del self.branches[name]

    def create_tag(self, name: str, ref: str) -> str:
        check_tag(name)
        commit = self.commit_of(ref)
        if name in self.tags:
            raise conflict("tag already exists")
        if name in self.branches or name in self.commits:
            raise conflict(f"tag ID {name} already exists as a branch or commit: conflict found")
        self.tags[name] = commit.id
        return commit.id

    def tag(self, name: str) -> str:
        if name not in self.tags:
            raise not_found("tag")
        return self.tags[name]

    def delete_tag(self, name: str) -> None:
        self.tag(name)
        del self.tags[name]

    # --- objects ------------------------------------------------------------------------------

    def tree(self, ref: str) -> Tree:
        """Return what is readable at a ref: at a bare branch name with what is staged above it."""
        resolved = self.resolve(ref)
        staging = self.branches[resolved.branch].staging if resolved.branch else {}
        if resolved.staging_only:
            return {path: entry for path, entry in staging.items() if entry}
        return overlay(self.commits[resolved.commit].tree, staging)

    def entry(self, ref: str, path: str) -> Entry:
        resolved = self.resolve(ref)
        tree = {} if resolved.staging_only else self.commits[resolved.commit].tree
        staging = self.branches[resolved.branch].staging if resolved.branch else {}
        entry = staging[path] if path in staging else tree.get(path)
        if entry is None:
            raise not_found()
        return entry

    def stage(self, branch: str, path: str, entry: Entry) -> None:
        self.branch(branch).staging[path] = entry

    def remove(self, branch: str, path: str) -> None:
        """Stage a removal; a path that is not committed leaves nothing behind."""
        found = self.branch(branch)
        if path in self.commits[found.commit].tree:
            found.staging[path] = None
        else:
            found.staging.pop(path, None)

    def reset(self, branch: str, path: str | None = None, prefix: str | None = None) -> None:
        """Drop what is staged: one path, all paths with a prefix, or with neither everything."""
        found = self.branch(branch)
        if path is not None:
            found.staging.pop(path, None)
            return
        kept = {} if prefix is None else {p: e for p, e in found.staging.items() if not p.startswith(prefix)}
        found.staging = kept

    def changes(self, branch: str) -> list[tuple[str, Entry | None, Entry | None]]:
        """Return what a commit would change: staging what is committed already is no change."""
        found = self.branch(branch)
        tree = self.commits[found.commit].tree
        pairs = [(path, tree.get(path), entry) for path, entry in found.staging.items()]
        return [(path, before, after) for path, before, after in pairs if not same(before, after)]

    # --- commits ------------------------------------------------------------------------------

    def commit(
        self,
        branch: str,
        message: str,
        metadata: Mapping[str, str],
        committer: str,
        allow_empty: bool = False,
        date: int | None = None,
    ) -> Commit:
        found = self.branch(branch)
        changes = self.changes(branch)
        if not changes and not allow_empty:
            raise no_changes("commit")
        tree = overlay(self.commits[found.commit].tree, {path: after for path, _, after in changes})
        commit = self.add_commit((found.commit,), tree, message, metadata, committer, date, changes)
        found.commit = commit.id
        found.staging = {}
        return commit

    def add_commit(
        self,
        parents: tuple[str, ...],
        tree: Tree,
        message: str,
        metadata: Mapping[str, str],
        committer: str,
        date: int | None = None,
        changes: Iterable[tuple[str, Entry | None, Entry | None]] | None = None,
    ) -> Commit:
        """Record a commit; `changes` is what is different from the first parent, where that is known."""
        base = self.commits[parents[0]] if parents else None
        before = base.meta_range_id if base else EMPTY_RANGE
        if changes is None:
            changes = changed(base.tree if base else {}, tree)
        range_id = meta_range_id(before, changes)
        when = int(time.time()) if date is None else date
        number = len(self.commits)
        parts = [self.name, number, *parents, message, sorted(metadata.items()), committer, when, range_id]
        commit = Commit(
            id=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
            parents=parents,
            message=message,
            metadata=dict(metadata),
            committer=committer,
            creation_date=when,
            meta_range_id=range_id,
            generation=1 + max((self.commits[parent].generation for parent in parents), default=0),
            number=number,
            tree=tree,
        )
        self.commits[commit.id] = commit
        return commit
