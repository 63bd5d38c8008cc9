"""The moves of aliases: what the history keeps of each, and what a rollback leads back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from headrace.errors import AliasMoved
from headrace.registry.read import holder

Why = Literal["publish", "promote", "rollback", "undo", "remove"]

ANY = -1
"""As `expect`: whatever version the alias names."""


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


def require_holder(registry: Mapping[str, Any], alias: str, expect: int | None) -> None:
    """Raise `AliasMoved` where an alias names another version than it did when something was decided."""
    found = holder(registry, alias)
    if expect not in (ANY, found):
        raise AliasMoved.by(registry["model"], alias, expect, found)


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
