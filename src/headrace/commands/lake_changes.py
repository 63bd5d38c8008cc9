"""`headrace lake revert|init`: commands that change the lake's history, or begin it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

from headrace.commands.lake_history import change_json, change_lines, commit_json, count_changes, told_counts
from headrace.commands.lake_show import CHANGES_AT_MOST
from headrace.commands.screen import Answer, Screen, first_line, short
from headrace.project import Project


def revert(project: Project, arguments: argparse.Namespace) -> Answer:
    """Commit the inverse of a commit, and say what that undid."""
    lake = project.lake
    (undone,) = lake.log(arguments.ref, limit=1)
    made = lake.revert(arguments.branch, undone.id, arguments.parent)
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


def init(project: Project, arguments: argparse.Namespace) -> Answer:
    """Create the lake where there is none."""
    created = project.lake.init()
    line = "the lake is created, with an empty branch main" if created else "the lake is there already"
    return Answer({"created": created}, lambda screen: [line])
