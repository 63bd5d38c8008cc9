"""`headrace lake revert|init`: commands that change the lake's history, or begin it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice, takewhile

from headrace.commands.lake import options_of
from headrace.commands.lake_history import change_json, change_lines, commit_json, count_changes, told_counts
from headrace.commands.lake_show import CHANGES_AT_MOST
from headrace.commands.screen import Answer, Screen, first_line, short
from headrace.core.ports import MAIN, Commit, LakeStore
from headrace.errors import LakeError, MergeConflict
from headrace.project import Project

_LOOK_BACK = 200  # commits of the branch among which those in the way are looked for


def revert(project: Project, arguments: argparse.Namespace) -> Answer:
    """Commit the inverse of a commit, and say what that undid."""
    lake = project.lake
    (undone,) = lake.log(arguments.ref, limit=1)
    try:
        made = lake.revert(arguments.branch, undone.id, arguments.parent)
    except MergeConflict as conflict:
        raise _refused(lake, arguments, undone, conflict) from conflict
    changes = lake.diff(made.parents[0], made.id)

    def lines(screen: Screen) -> Iterator[str]:
        yield screen.fit(f"undid {short(undone.id)}  ", first_line(undone.message))
        yield f"by    {short(made.id)}  on {arguments.branch}: {told_counts(changes)}"
        yield from islice(change_lines(screen, changes), CHANGES_AT_MOST)
        if len(changes) > CHANGES_AT_MOST:
            command = screen.command("show", short(made.id), "--json")
            yield f"… and {len(changes) - CHANGES_AT_MOST:,} more; type: {command}"

    data = {
        "branch": arguments.branch,
        "undone": commit_json(undone),
        "commit": commit_json(made),
        "counts": count_changes(changes),
        "changes": [change_json(change) for change in changes],
    }
    return Answer(data, lines)


def _refused(
    lake: LakeStore, arguments: argparse.Namespace, undone: Commit, conflict: MergeConflict
) -> LakeError:
    """Say which later commits of the branch are in the way, as what to type to undo them first."""
    paths = set(conflict.paths)
    later = takewhile(
        lambda commit: commit.id != undone.id,
        lake.log(arguments.branch, limit=_LOOK_BACK, first_parent=True),
    )
    in_the_way = [
        commit
        for commit in later
        if commit.parents and paths & {change.path for change in lake.diff(commit.parents[0], commit.id)}
    ]
    if not in_the_way:
        return conflict
    branch = [] if arguments.branch == MAIN else ["--branch", arguments.branch]
    screen = Screen(None, options_of(arguments))
    steps = [
        f"{screen.command('revert', short(commit.id), *branch)}   # {first_line(commit.message)}"
        for commit in in_the_way[:CHANGES_AT_MOST]
    ]
    head = "later commits changed that too; to undo them first, the newest first, type:"
    return LakeError("\n".join([str(conflict), head, *steps]))


def init(project: Project, arguments: argparse.Namespace) -> Answer:
    """Create the lake where there is none."""
    created = project.lake.init()
    line = "the lake is created, with an empty branch main" if created else "the lake is there already"
    return Answer({"created": created}, lambda screen: [line])
