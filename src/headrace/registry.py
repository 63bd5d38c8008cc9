"""A model's registry: which versions there are, which one each alias names, and how that came to be.

It is one object on `main`, `models/<name>/registry.json`, so that an alias moves as one commit: atomic,
with history, and two that race meet in a merge conflict, after which the second one decides anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from headrace.core.ports import MAIN, LakeReader, LakeStore
from headrace.errors import (
    AliasMoved,
    AlreadyExists,
    LakeBusy,
    MergeConflict,
    ModelNotFound,
    ObjectNotFound,
    RefNotFound,
    did_you_mean,
)

FORMAT = 1
CANARY, SHADOW = "canary", "shadow"  # aliases with a meaning for the service that answers by another one

Why = Literal["publish", "promote", "rollback", "undo", "remove"]

_TRIES = 20


def registry_path(model: str) -> str:
    return f"models/{model}/registry.json"


def tag_name(model: str, version: int | str) -> str:
    """Return the name of the tag on the commit that published a version."""
    return f"{model}-v{version}"


# --- reading ------------------------------------------------------------------------------------


def read_registry(lake: LakeReader, ref: str, model: str) -> dict[str, Any]:
    """Return a model's registry at a ref; one without versions where the model is new."""
    try:
        with lake.open(ref, registry_path(model)) as file:
            return dict(json.load(file))
    except ObjectNotFound:
        return {"format": FORMAT, "model": model, "versions": [], "aliases": {}}


def read_current(lake: LakeReader, model: str) -> tuple[str, dict[str, Any]]:
    """Return the commit that `main` is at, and a model's registry there."""
    commit = lake.resolve(MAIN)
    return commit, read_registry(lake, commit, model)


def list_models(lake: LakeReader, ref: str = MAIN) -> list[str]:
    """Return the names of the models that have a registry at a ref, sorted."""
    names = (folder.path.split("/")[1] for folder in lake.list(ref, prefix="models/", delimiter="/"))
    found = []
    for name in names:
        with suppress(ObjectNotFound):
            lake.stat(ref, registry_path(name))
            found.append(name)
    return sorted(found)


def find_tag(lake: LakeReader, name: str) -> str | None:
    """Return the commit that a tag of exactly this name is on."""
    return next((found.commit for found in lake.tags(name) if found.name == name), None)


def find_version(registry: Mapping[str, Any], digest: str) -> dict[str, Any] | None:
    """Return the version whose package has this digest."""
    return next((v for v in registry["versions"] if v["digest"] == digest), None)


def find_numbered(registry: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the version of this number. Raises `ModelNotFound`."""
    require_versions(registry)
    known = {int(entry["version"]): entry for entry in registry["versions"]}
    if version not in known:
        shown = did_you_mean(str(version), map(str, known), "version={}")
        raise ModelNotFound(f"{registry['model']} has no version {version}; {shown}")
    return dict(known[version])


def find_aliased(registry: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Return the version that an alias names. Raises `ModelNotFound`."""
    require_versions(registry)
    model, aliases = registry["model"], registry["aliases"]
    if alias not in aliases:
        raise ModelNotFound(f"{model} has no alias {alias!r}; {did_you_mean(alias, aliases)}")
    return next(entry for entry in registry["versions"] if entry["version"] == aliases[alias])


def require_versions(registry: Mapping[str, Any]) -> None:
    """Raise `ModelNotFound` for a model that has no version."""
    if not registry["versions"]:
        raise ModelNotFound(f"the lake has no version of a model {registry['model']!r}: publish one first")


def holder(registry: Mapping[str, Any], alias: str) -> int | None:
    """Return the version that an alias names; None where it names none."""
    found = registry["aliases"].get(alias)
    return None if found is None else int(found)


def history(registry: Mapping[str, Any], alias: str | None = None) -> list[dict[str, Any]]:
    """Return the moves of an alias, or of all, oldest first. Registries of old have none."""
    return [dict(one) for one in registry.get("history", ()) if alias in (None, one["alias"])]


def find_move(registry: Mapping[str, Any], deployment: str, undo: bool = False) -> dict[str, Any] | None:
    """Return the move that a deployment made, or with `undo` the one that took it back."""
    moves = (one for one in history(registry) if one.get("deployment") == deployment)
    return next((one for one in moves if (one["why"] == "undo") == undo), None)


def find_before(registry: Mapping[str, Any], alias: str) -> int | None:
    """Return the version to which a rollback takes an alias, None where there is none before.

    It is the one before the move that brought today's version, so a second rollback goes further back
    and never returns to what the first one left. An undo or a rollback is a step back on that path,
    everything else a step forward. A version that is named again is no step, and neither is a removal.
    """
    path: list[int] = []
    for move in history(registry, alias):
        start, to, why = move["from"], move["to"], move["why"]
        if start is not None and not path:
            path.append(int(start))  # what the alias named before there was a history
        if to is None:
            if why == "undo" and path and path[-1] == start:
                path.pop()
            continue
        if why in ("rollback", "undo") and int(to) in path:
            del path[_last(path, int(to)) + 1 :]
        elif not path or path[-1] != int(to):
            path.append(int(to))
    now = holder(registry, alias)
    if now is not None and path and path[-1] == now:
        path.pop()
    return path[-1] if path else None


def _last(path: Sequence[int], version: int) -> int:
    return len(path) - 1 - path[::-1].index(version)


# --- changing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change of an alias, and what the history keeps of it.

    `run` is that of the version, `forced` the reason for going on against a gate's no, `share` the
    canary's of the traffic (0 to 1), `deployment` the id of the command, and `checks` the gate's.
    """

    alias: str
    why: Why
    run: str | None = None
    forced: str | None = None
    share: float | None = None
    deployment: str | None = None
    checks: Sequence[Mapping[str, Any]] = ()

    def apply(self, registry: dict[str, Any], to: int | None) -> dict[str, Any]:
        """Write the change into a registry, and return the entry of its history."""
        start = holder(registry, self.alias)
        if to is None:
            registry["aliases"].pop(self.alias, None)
        else:
            registry["aliases"][self.alias] = to
        registry.get("shares", {}).pop(self.alias, None)
        if to is not None and self.share is not None:
            registry.setdefault("shares", {})[self.alias] = self.share
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "alias": self.alias,
            "from": start,
            "to": to,
            "why": self.why,
            "run": self.run,
            "forced": self.forced,
            "share": self.share if to is not None else None,
            "deployment": self.deployment,
            "checks": [dict(check) for check in self.checks],
        }
        registry.setdefault("history", []).append(entry)
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A change of an alias as it is in the lake: its commit, and the entry of the history."""

    commit: str
    entry: Mapping[str, Any]


ANY = -1
"""As `expect`: whatever version the alias names."""


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
    first one's. `expect` is the version that the alias was found to name when this was decided, None
    for none. Raises `ModelNotFound` for a version that is not there, `AliasMoved` where the alias names
    another one than expected by now, and `LakeBusy` where others change the model without pause.
    """
    move = Move(
        alias=alias, why=why, run=run, forced=forced, share=share, deployment=deployment, checks=checks
    )  # fmt: skip

    def change(registry: dict[str, Any]) -> Mapping[str, Any]:
        find_numbered(registry, to)
        require_holder(registry, alias, expect)
        entry = move.apply(registry, to)
        for other in clears:
            if holder(registry, other) is not None:
                Move(alias=other, why="remove", run=run, deployment=deployment).apply(registry, None)
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
        return replace(move, run=found["run"]).apply(registry, None)

    return _change(lake, model, move, f"{why} {model}: {alias}", change)


def require_holder(registry: Mapping[str, Any], alias: str, expect: int | None) -> None:
    """Raise `AliasMoved` where an alias names another version than it did when something was decided."""
    found = holder(registry, alias)
    if expect not in (ANY, found):
        raise AliasMoved.by(registry["model"], alias, expect, found)


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
