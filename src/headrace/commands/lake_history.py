"""`headrace lake log|diff`: what happened, and what differs."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from headrace.commands.screen import Answer, Screen, first_line, iso, minutes, short
from headrace.core.ports import MAIN, Change, Commit
from headrace.project import Project

MARKS = {"added": "+", "removed": "-", "changed": "~", "conflict": "!"}


def log(project: Project, arguments: argparse.Namespace) -> Answer:
    """List the commits that lead to a ref, newest first."""
    commits = project.lake.log(arguments.ref, limit=arguments.count, first_parent=arguments.first_parent)
    return Answer([commit_json(commit) for commit in commits], lambda screen: log_lines(screen, commits))


def log_lines(screen: Screen, commits: Sequence[Commit]) -> Iterator[str]:
    for commit in commits:
        message, whole = parts(commit)
        yield screen.fit(f"{short(commit.id)}  {minutes(commit.time)}  ", message, whole)


def parts(commit: Commit) -> tuple[str, str]:
    """Return a commit's line as what may be cut, and the run and stage at its end, which may not."""
    message, run = first_line(commit.message), commit.metadata.get("run", "")
    if run and message.endswith(f" {run}"):
        return message.removesuffix(f" {run}"), f" {run}{origin(commit)}"
    return message, origin(commit)


def origin(commit: Commit) -> str:
    """Say the run and stage that made a commit, where its message does not."""
    said = first_line(commit.message).split()
    found = [(word, commit.metadata.get(word)) for word in ("run", "stage")]
    named = [f"{word} {value}" for word, value in found if value and value not in said]
    return f"  ({', '.join(named)})" if named else ""


def diff(project: Project, arguments: argparse.Namespace) -> Answer:
    """List the paths that differ: of two refs, or what merging one ref would bring to `main`."""
    left, right = arguments.left, arguments.right
    three_dot = arguments.three_dot or right is None
    if right is None:
        left, right = MAIN, left
    mode: Literal["two_dot", "three_dot"] = "three_dot" if three_dot else "two_dot"
    changes = project.lake.diff(left, right, prefix=arguments.prefix, mode=mode)

    def lines(screen: Screen) -> Iterator[str]:
        if not changes:
            yield "nothing differs"
        yield from screen.bound(change_lines(screen, changes))

    return Answer([change_json(change) for change in changes], lines)


def change_lines(screen: Screen, changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        yield screen.fit_path(f"{MARKS[change.kind]} ", change.path)


def count_changes(changes: Sequence[Change]) -> dict[str, int]:
    """Return how many paths there are of each kind, only for those that occur."""
    found = Counter(change.kind for change in changes)
    return {kind: found[kind] for kind in ("added", "changed", "removed", "conflict") if found[kind]}


def told_counts(changes: Sequence[Change]) -> str:
    counts = count_changes(changes)
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items()) or "nothing changed"


def commit_json(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "parents": list(commit.parents),
        "time": iso(commit.time),
        "message": commit.message,
        "metadata": dict(commit.metadata),
    }


def change_json(change: Change) -> dict[str, Any]:
    return {"path": change.path, "kind": change.kind}
