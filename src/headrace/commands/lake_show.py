"""`headrace lake show`: one commit, one object, or the listing of a folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from headrace.commands.lake_history import change_json, change_lines, commit_json, count_changes, told_counts
from headrace.commands.screen import Answer, Screen, iso, metadata_lines, short, size
from headrace.core.ports import MAIN, Change, Commit, CommonPrefix, LakeStore, ObjectInfo
from headrace.errors import ObjectNotFound, RefNotFound, did_you_mean
from headrace.project import Project

CHANGES_AT_MOST = 20
_LOOK_AT = 1000  # names of one folder that a suggestion is chosen from


def show(project: Project, arguments: argparse.Namespace) -> Answer:
    """Show a commit; with a path the object there, or what lies below it."""
    if arguments.path is None:
        return _show_commit(project.lake, arguments.ref)
    return _show_path(project.lake, arguments.ref, arguments.path)


def _show_commit(lake: LakeStore, ref: str) -> Answer:
    try:
        (commit,) = lake.log(ref, limit=1)
    except RefNotFound as error:
        if _is_there(lake, MAIN, ref):
            hint = f"for what is at that path, type: headrace lake show {MAIN} {ref}"
            raise RefNotFound(f"{error}\n{hint}") from error
        raise
    changes = lake.diff(commit.parents[0], commit.id) if commit.parents else []

    def lines(screen: Screen) -> Iterator[str]:
        yield from _commit_lines(screen, commit)
        yield ""
        yield told_counts(changes)
        yield from islice(change_lines(screen, changes), CHANGES_AT_MOST)
        if len(changes) > CHANGES_AT_MOST:
            command = screen.command("diff", short(commit.parents[0]), short(commit.id))
            yield f"… and {len(changes) - CHANGES_AT_MOST:,} more; type: {command}"

    return Answer(_commit_json(commit, changes), lines)


def _commit_json(commit: Commit, changes: Sequence[Change]) -> dict[str, Any]:
    counts = count_changes(changes)
    return {**commit_json(commit), "counts": counts, "changes": [change_json(change) for change in changes]}


def _commit_lines(screen: Screen, commit: Commit) -> Iterator[str]:
    yield f"commit   {commit.id}"
    for number, parent in enumerate(commit.parents, start=1):
        yield f"parent {number} {parent}"
    yield f"time     {iso(commit.time)}"
    if commit.metadata:
        yield "metadata"
        yield from metadata_lines(screen, commit.metadata)
    yield ""
    for line in commit.message.splitlines():
        yield screen.fit("    ", line)


def _show_path(lake: LakeStore, ref: str, path: str) -> Answer:
    folder = path.rstrip("/") and path.rstrip("/") + "/"
    if not path.endswith("/"):
        try:
            info = lake.stat(ref, path)
        except ObjectNotFound:
            pass
        else:
            return _object(info, ref, folder if _is_folder(lake, ref, folder) else "")
    below = list(lake.list(ref, prefix=folder, delimiter="/"))
    if not below and folder:
        raise _nothing_at(lake, ref, path)
    return _listing(below, folder)


def _nothing_at(lake: LakeStore, ref: str, path: str) -> ObjectNotFound:
    """Suggest from what the nearest folder above holds that is there."""
    parts = path.rstrip("/").split("/")
    for depth in range(len(parts) - 1, -1, -1):
        folder = "".join(f"{part}/" for part in parts[:depth])
        beside = [item.path for item in islice(lake.list(ref, prefix=folder, delimiter="/"), _LOOK_AT)]
        if beside:
            hint = did_you_mean(folder + parts[depth], beside)
            return ObjectNotFound(f"nothing is at {path!r} at {ref!r}: {hint}")
    return ObjectNotFound(f"{ref!r} holds nothing at all")


def _object(info: ObjectInfo, ref: str, folder: str) -> Answer:
    def lines(screen: Screen) -> Iterator[str]:
        yield screen.fit_path("path     ", info.path)
        yield f"digest   {info.digest}"
        yield f"bytes    {info.bytes:,}"
        if info.metadata:
            yield "metadata"
            yield from metadata_lines(screen, info.metadata)
        if folder:
            yield "\nobjects lie below that path too; for these, type:"
            yield screen.command("show", ref, folder)

    return Answer(_entry_json(info), lines)


def _listing(below: Sequence[ObjectInfo | CommonPrefix], folder: str) -> Answer:
    def line(screen: Screen, item: ObjectInfo | CommonPrefix) -> str:
        name = item.path[len(folder) :]
        if isinstance(item, CommonPrefix):
            return screen.fit_path(f"{'folder':>9}  ", name)
        return screen.fit_path(f"{size(item.bytes):>9}  ", name)

    def lines(screen: Screen) -> Iterator[str]:
        if not below:
            yield "nothing is there"
        yield from screen.bound(line(screen, item) for item in below)

    return Answer([_entry_json(item) for item in below], lines)


def _entry_json(info: ObjectInfo | CommonPrefix) -> dict[str, Any]:
    if isinstance(info, CommonPrefix):
        return {"path": info.path, "kind": "folder"}
    return {
        "path": info.path,
        "kind": "object",
        "digest": info.digest,
        "bytes": info.bytes,
        "metadata": dict(info.metadata),
    }


def _is_there(lake: LakeStore, ref: str, path: str) -> bool:
    first = next(iter(lake.list(ref, prefix=path)), None)
    return (first is not None and first.path == path) or _is_folder(lake, ref, path.rstrip("/") + "/")


def _is_folder(lake: LakeStore, ref: str, folder: str) -> bool:
    return next(iter(lake.list(ref, prefix=folder)), None) is not None
