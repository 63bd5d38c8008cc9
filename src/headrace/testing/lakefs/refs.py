"""Ref expressions: a branch, tag, commit id or unique prefix, then any of `~N`, `^N`, or one of `@`, `$`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.testing.lakefs.refusal import Refusal, not_found

if TYPE_CHECKING:
    from headrace.testing.lakefs.repository import Repository

EXPRESSION = re.compile(r"([^~^@$\s]+)((?:[~^]\d*)*|[@$])")
STEP = re.compile(r"([~^@$])(\d*)")
HEX = re.compile(r"[0-9a-f]{1,64}")
FULL_ID = 64


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a ref names: a commit, and with `branch` also what is staged there.

    `staging_only` marks `branch$`, which is no commit.
    """

    commit: str
    branch: str | None = None
    staging_only: bool = False


def resolve(repository: Repository, ref: str) -> Resolved:
    """Find what a ref names. Raises a 404 for an unknown one, a 400 for one that cannot be read."""
    match = EXPRESSION.fullmatch(ref)
    if not match:
        raise Refusal(400, "ref: invalid value: validation error")
    name, steps = match.groups()
    resolved = _resolve_name(repository, name)
    for kind, digits in STEP.findall(steps):
        resolved = _follow(repository, resolved, kind, digits)
    return resolved


def resolve_commit(repository: Repository, ref: str) -> str:
    """Return the id of the commit that a ref names; `branch$` names none."""
    resolved = resolve(repository, ref)
    if resolved.staging_only:
        raise Refusal(400, "reference to staging area with $ is not a commit")
    return resolved.commit


def _resolve_name(repository: Repository, name: str) -> Resolved:
    if name in repository.branches:
        return Resolved(repository.branches[name].commit, branch=name)
    if name in repository.tags:
        return Resolved(repository.tags[name])
    if not HEX.fullmatch(name):
        raise not_found()
    if name in repository.commits:
        return Resolved(name)
    matches = [commit for commit in repository.commits if commit.startswith(name)]
    if len(matches) != 1:
        raise not_found()
    return Resolved(matches[0])


def _follow(repository: Repository, resolved: Resolved, kind: str, digits: str) -> Resolved:
    if resolved.staging_only:
        raise Refusal(400, "ref: invalid value: validation error")
    if kind in "@$":
        if resolved.branch is None:
            raise Refusal(400, "ref: invalid value: validation error")
        return Resolved(resolved.commit, resolved.branch if kind == "$" else None, kind == "$")
    count = int(digits) if digits else 1
    commit = repository.commits[resolved.commit]
    if kind == "^":
        if count > len(commit.parents):
            raise not_found()
        return Resolved(commit.parents[count - 1] if count else commit.id)
    for _ in range(count):
        if not commit.parents:
            raise not_found()
        commit = repository.commits[commit.parents[0]]
    return Resolved(commit.id)
