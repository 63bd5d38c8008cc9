"""Changing what an alias names: one commit on `main` for each change, which others' changes survive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import AlreadyExists, LakeBusy, MergeConflict, RefNotFound
from headrace.registry.moves import ANY, Move, Why, find_move, history, require_holder
from headrace.registry.read import find_aliased, find_numbered, holder, read_current, registry_path

_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A change of an alias as it is in the lake: its commit, and the entry of the history."""

    commit: str
    entry: Mapping[str, Any]


def move_alias(
    lake: LakeStore,
    model: str,
    alias: str,
    to: int,
    *,
    why: Why = "promote",
    run: str | None = None,
    forced: str | None = None,
    share: float | None = None,
    deployment: str | None = None,
    checks: Sequence[Mapping[str, Any]] = (),
    expect: int | None = ANY,
    clears: Sequence[str] = (),
) -> Moved:
    """Let an alias name a version, as one commit on `main`, and the aliases `clears` nothing any more.

    The commit of a deployment is made once, however often this is called: the second call returns the
    first one's. An undo gives back what the deployment cleared. `expect` is the version that the alias was
    found to name when this was decided, None for none; `run` is the version's own unless given. Raises
    `ModelNotFound` for a version that is not there, `AliasMoved` where the alias names another one than
    expected by now, and `LakeBusy` where others change the model without pause.
    """
    move = Move(
        alias=alias, why=why, run=run, forced=forced, share=share, deployment=deployment, checks=checks
    )  # fmt: skip

    def change(registry: dict[str, Any]) -> Mapping[str, Any]:
        found = find_numbered(registry, to)
        require_holder(registry, alias, expect)
        entry = replace(move, run=run or found["run"]).apply(registry, to)
        for other in clears:
            if holder(registry, other) is not None:
                cleared = Move(alias=other, why="remove", run=entry["run"], deployment=deployment)
                cleared.apply(registry, None)
        if why == "undo":
            _give_back(registry, deployment)
        return entry

    return _change(lake, model, move, f"{why} {model} version {to}: {alias}", change)


def remove_alias(
    lake: LakeStore,
    model: str,
    alias: str,
    *,
    why: Why = "remove",
    forced: str | None = None,
    deployment: str | None = None,
    expect: int | None = ANY,
) -> Moved:
    """Let an alias name nothing, as one commit on `main`; otherwise as `move_alias`.

    Raises `ModelNotFound` where there is no such alias.
    """
    move = Move(alias=alias, why=why, forced=forced, deployment=deployment)

    def change(registry: dict[str, Any]) -> Mapping[str, Any]:
        require_holder(registry, alias, expect)
        found = find_aliased(registry, alias)
        entry = replace(move, run=found["run"]).apply(registry, None)
        if why == "undo":
            _give_back(registry, deployment)
        return entry

    return _change(lake, model, move, f"{why} {model}: {alias}", change)


def _give_back(registry: dict[str, Any], deployment: str | None) -> None:
    """Let the aliases that a deployment took away beside its own name what they did, with their share."""
    moves = history(registry)
    for at, taken in enumerate(moves):
        alias, version = taken["alias"], taken["from"]
        ours = deployment is not None and taken.get("deployment") == deployment
        if not ours or taken["why"] != "remove" or holder(registry, alias) is not None:
            continue
        shares = [one.get("share") for one in moves[:at] if (one["alias"], one["to"]) == (alias, version)]
        share = shares[-1] if shares else None
        back = Move(alias=alias, why="undo", run=taken["run"], share=share, deployment=deployment)
        back.apply(registry, version)


def _change(
    lake: LakeStore,
    model: str,
    move: Move,
    message: str,
    change: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> Moved:
    """Change a registry on a branch of its own and merge it; others' changes are read and kept."""
    branch = _branch(move)
    metadata = {"model": model, "alias": move.alias}
    metadata |= {"deployment": move.deployment} if move.deployment else {}
    for _ in range(_TRIES):
        _drop(lake, branch)  # of an earlier try, which a conflict or a kill ended
        commit, registry = read_current(lake, model)
        if move.deployment and (found := find_move(registry, move.deployment, move.why == "undo")):
            return Moved(commit=commit, entry=found)
        entry = change(registry)
        try:
            lake.create_branch(branch, commit)
            lake.put(branch, registry_path(model), json.dumps(registry, indent=1).encode())
            lake.commit(branch, message, metadata)
            merged = lake.merge(branch, MAIN, message, metadata)
        except MergeConflict as conflict:
            if registry_path(model) not in conflict.paths:
                raise
            continue
        finally:
            _drop(lake, branch)
        return Moved(commit=merged.id, entry=entry)
    raise LakeBusy(f"others change the aliases of {model} without pause; the same command tries again")


def _branch(move: Move) -> str:
    """Return the branch on which a change is made: a deployment has its own, found again after a kill."""
    return f"{_branches(move.deployment or datetime.now(UTC).strftime('%Y%m%d-%H%M%S-%f'))}-{move.why}"


def _branches(deployment: str) -> str:
    return f"alias-{deployment}"


def drop_changes(lake: LakeStore, deployment: str) -> None:
    """Drop what a deployment that was killed left beside `main`."""
    for branch in lake.branches(f"{_branches(deployment)}-"):
        _drop(lake, branch.name)


def _drop(lake: LakeStore, branch: str) -> None:
    with suppress(RefNotFound):
        lake.delete_branch(branch)


def tag_version(lake: LakeStore, name: str, commit: str) -> None:
    with suppress(AlreadyExists):  # the version was published before, and keeps the commit that it had then
        lake.tag(name, commit)
