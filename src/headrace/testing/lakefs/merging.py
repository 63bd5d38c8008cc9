"""Merge and revert, by lakeFS's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headrace.testing.lakefs.entry import Commit
from headrace.testing.lakefs.history import merge_base
from headrace.testing.lakefs.refs import resolve_commit
from headrace.testing.lakefs.refusal import Refusal, conflict, dirty_branch, no_changes
from headrace.testing.lakefs.repository import Repository
from headrace.testing.lakefs.trees import MergeConflictFound, changed, merge

STRATEGIES = {"": "default", "dest-wins": "dest-wins", "source-wins": "source-wins"}
STRATEGY_KEY = ".lakefs.merge.strategy"


def find_base(repository: Repository, source: str, dest: str) -> tuple[Commit, Commit, Commit]:
    """Return the commits of source and destination, and their best common ancestor."""
    ours, theirs = repository.commit_of(dest), repository.commit_of(source)
    base = merge_base(repository.commits, theirs.id, ours.id)
    if base is None:
        raise Refusal(400, "no merge base")
    return theirs, ours, base


def merge_into(
    repository: Repository,
    source: str,
    dest: str,
    *,
    message: str,
    metadata: Mapping[str, str],
    committer: str,
    strategy: str = "",
    allow_empty: bool = False,
    squash: bool = False,
    check: Callable[[], None],
) -> Commit:
    """Merge into a branch; `check` is the hook, asked when the merge is known to succeed."""
    branch = repository.branch(dest)
    if repository.changes(dest):
        raise dirty_branch(dest)
    theirs, ours, base = find_base(repository, source, dest)
    if strategy not in STRATEGIES:
        raise Refusal(400, f"update branch {dest}: invalid merge strategy")
    if source == dest:
        raise Refusal(400, f"update branch {dest}: same branch validation error")
    if theirs.meta_range_id == base.meta_range_id and not allow_empty:
        raise no_changes(f"update branch {dest}")
    try:
        tree = merge(ours.tree, theirs.tree, base.tree, strategy)
    except MergeConflictFound as found:
        # The real server still answers with an empty result here, not with a message.
        raise Refusal(409, "conflict found", {"reference": ""}) from found
    check()
    marked = {**metadata, STRATEGY_KEY: STRATEGIES[strategy]}
    parents = (ours.id,) if squash else (ours.id, theirs.id)
    text = message or f"Merge '{source}' into '{dest}'"
    commit = repository.add_commit(parents, tree, text, marked, committer)
    branch.commit = commit.id
    branch.staging = {}
    return commit


def revert(
    repository: Repository,
    branch_name: str,
    ref: str,
    parent_number: int,
    *,
    message: str | None,
    metadata: Mapping[str, str] | None,
    committer: str,
    allow_empty: bool = False,
) -> Commit:
    """Commit the inverse of a commit: its parent is merged in, with the commit itself as the base."""
    branch = repository.branch(branch_name)
    target = repository.commits[resolve_commit(repository, ref)]
    if len(target.parents) > 1 and parent_number <= 0:
        raise conflict("must specify 1-based parent number for reverting merge commit")
    if parent_number > len(target.parents) or parent_number < 0:
        raise Refusal(400, f"given commit does not have the given parent number: parent {parent_number}")
    if repository.changes(branch_name):
        raise dirty_branch(branch_name)
    parent = repository.commits[target.parents[max(parent_number, 1) - 1]] if target.parents else None
    head = repository.commits[branch.commit]
    source = parent.tree if parent else {}
    if (parent is not None and parent.meta_range_id == target.meta_range_id) and not allow_empty:
        raise no_changes(f"update branch {branch_name}")
    try:
        tree = merge(head.tree, source, target.tree, "")
    except MergeConflictFound as found:
        raise conflict(f"update branch {branch_name}: conflict found") from found
    if not allow_empty and next(changed(head.tree, tree), None) is None:
        raise no_changes(f"update branch {branch_name}")
    commit = repository.add_commit((head.id,), tree, message or f"Revert {ref}", metadata or {}, committer)
    branch.commit = commit.id
    branch.staging = {}
    return commit
