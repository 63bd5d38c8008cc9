"""`headrace lake branches|tag|pin|unpin`: names for commits."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from headrace.commands.lake_history import origin
from headrace.commands.screen import Answer, Screen, age, first_line, iso, short
from headrace.core.ports import Branch, Commit, LakeStore
from headrace.core.record import branch_of
from headrace.data_import import BRANCH_PREFIX
from headrace.errors import RefNotFound, WrongWord, did_you_mean
from headrace.project import Project

PIN = "pin-"
# The branches that gc takes: what runs and imports leave behind, and where they were killed, deployments and
# the prediction logs of services.
COLLECTED = (branch_of(""), BRANCH_PREFIX, "alias-", "predictions-")
_SIDE_BY_SIDE = 8


def branches(project: Project, arguments: argparse.Namespace) -> Answer:
    """List branches with what their last commits say."""
    return _refs_answer(project.lake, project.lake.branches(arguments.prefix), "branch")


def tag(project: Project, arguments: argparse.Namespace) -> Answer:
    """List tags, create one, or delete one."""
    lake = project.lake
    if arguments.delete:
        _require_tag(lake, arguments.delete)
        lake.delete_tag(arguments.delete)
        return _told(f"deleted tag {arguments.delete}", {"name": arguments.delete, "deleted": True})
    if arguments.name:
        if arguments.name.startswith(PIN):
            hint = f"to pin a run, type: headrace lake pin {arguments.name.removeprefix(PIN) or '<run>'}"
            raise WrongWord(f"names that begin with {PIN!r} are those of pins; {hint}")
        commit = lake.tag(arguments.name, arguments.ref)
        return _told(f"{arguments.name} is {commit}", {"name": arguments.name, "commit": commit})
    return _refs_answer(lake, lake.tags(), "tag")


def _require_tag(lake: LakeStore, name: str) -> None:
    """Raise `RefNotFound` where a tag is not there: what the name is instead, or which tag is near."""
    tags = [found.name for found in lake.tags()]
    if name in tags:
        return
    if any(found.name == name for found in lake.branches(name)):
        raise RefNotFound(f"{name!r} is a branch, not a tag; to list the tags, type: headrace lake tag")
    own = [tag for tag in tags if not tag.startswith(PIN)]
    raise RefNotFound(f"no tag {name!r} in the lake: {did_you_mean(name, own)}")


def pin(project: Project, arguments: argparse.Namespace) -> Answer:
    """Keep a run's branch from collection, for everybody who shares the lake."""
    lake = project.lake
    branch = find_branch(lake, arguments.run_id)
    if not branch.name.startswith(COLLECTED):
        raise WrongWord(f"{branch.name} needs no pin: gc takes only branches of runs and imports")
    name = pin_of(branch.name)
    known = [found for found in lake.tags(name) if found.name == name]
    commit = known[0].commit if known else lake.tag(name, branch.commit)
    data = {"branch": branch.name, "tag": name, "commit": commit, "created": not known}
    if known:
        return _told(f"{branch.name} is pinned already", data)

    def lines(screen: Screen) -> list[str]:
        return [f"{branch.name} is pinned; to undo that, type:", screen.command("unpin", branch.name)]

    return Answer(data, lines)


def unpin(project: Project, arguments: argparse.Namespace) -> Answer:
    """Let a run's branch be collected again when its time comes."""
    lake, wanted = project.lake, arguments.run_id
    pins = [found.name for found in lake.tags(PIN)]
    name = next((n for n in (pin_of(wanted), pin_of(branch_of(wanted))) if n in pins), None)
    if name is None:
        known = [found.removeprefix(PIN) for found in pins]
        hint = did_you_mean(wanted, known, "headrace lake unpin {}") if known else "nothing is pinned"
        raise RefNotFound(f"{wanted!r} is not pinned: {hint}")
    lake.delete_tag(name)
    branch = name.removeprefix(PIN)
    return _told(f"{branch} is no longer pinned", {"branch": branch, "tag": name, "deleted": True})


def pin_of(branch: str) -> str:
    """Return the name of the tag that pins a branch."""
    return f"{PIN}{branch}"


def find_branch(lake: LakeStore, run: str) -> Branch:
    """Return the branch of that name or of the run of that id. Raises `RefNotFound`."""
    for name in (run, branch_of(run)):
        found = next((branch for branch in lake.branches(name) if branch.name == name), None)
        if found is not None:
            return found
    names = [branch.name for branch in lake.branches(branch_of(""))]
    hint = did_you_mean(run if run.startswith(branch_of("")) else branch_of(run), names)
    raise RefNotFound(f"no run or branch {run!r} in the lake: {hint}")


def last_commits(lake: LakeStore, refs: Sequence[Branch]) -> dict[str, Commit]:
    """Return the commits that branches or tags are at, by id; a server is asked for many side by side.

    One that a collection has removed meanwhile is not among them.
    """

    def find(commit: str) -> Sequence[Commit]:
        try:
            return lake.log(commit, limit=1)
        except RefNotFound:
            return []

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = pool.map(find, dict.fromkeys(ref.commit for ref in refs))
        return {commit.id: commit for commits in found for commit in commits}


def _refs_answer(lake: LakeStore, refs: Sequence[Branch], what: str) -> Answer:
    commits = last_commits(lake, refs)
    refs = [ref for ref in refs if ref.commit in commits]
    now = time.time()

    def lines(screen: Screen) -> Iterator[str]:
        if not refs:
            yield f"there is no such {what}" if what == "branch" else "there are no tags"
        width = max((len(ref.name) for ref in refs), default=0)
        for ref in refs:
            commit = commits[ref.commit]
            head = f"{ref.name:<{width}}  {short(ref.commit)}  {age(now - commit.time):>6}  "
            said = first_line(commit.message) + origin(commit)
            run = ref.name.removeprefix(branch_of(""))
            if screen.width is not None and run != ref.name:
                said = said.replace(run, "…")  # the name says it already, and a terminal has little room
            yield screen.fit(head, said)

    return Answer([_ref_json(ref, commits[ref.commit]) for ref in refs], lines)


def _ref_json(ref: Branch, commit: Commit) -> dict[str, Any]:
    return {
        "name": ref.name,
        "commit": ref.commit,
        "time": iso(commit.time),
        "message": commit.message,
        "metadata": dict(commit.metadata),
    }


def _told(line: str, data: dict[str, Any]) -> Answer:
    return Answer(data, lambda screen: [line])
