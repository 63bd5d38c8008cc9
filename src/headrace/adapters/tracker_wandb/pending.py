"""What is left to do in W&B when a run is logged: entries of `run.json`, done in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.core.lineage import Reference

CANDIDATE = "candidate"


def todo_of(
    reference: Reference, version: int, aliases: Sequence[str], registry: str | None
) -> list[dict[str, Any]]:
    """Return what publishing a model takes: its aliases, then its link to the registry."""
    artifact = f"{reference.name}:{reference.alias}"
    what = {"artifact": artifact, "aliases": list(aliases), "version": version}
    todo: list[dict[str, Any]] = [{"kind": "alias", **what}]
    if registry:
        todo.append({"kind": "link", **what, "to": f"wandb-registry-{registry}/{reference.name}"})
    return todo


def move_of(
    reference: Reference, version: int, alias: str, registry: str | None, order: int, newest: int, gone: bool
) -> dict[str, Any]:
    """Return what it takes for an alias to name a version that is there, or with `gone` nothing any more.

    Runs are synced in any order, so it says where it stands: `order` is the number of moves that the
    model's history has, and `newest` the number of its newest version then.
    """
    return {
        "kind": "move",
        "artifact": f"{reference.name}:{reference.alias}",
        "alias": alias,
        "version": version,
        "order": order,
        "newest": newest,
        "gone": gone,
        "to": f"wandb-registry-{registry}/{reference.name}" if registry else None,
    }


def use_of(reference: Reference) -> dict[str, Any]:
    """Return what it takes to say that a run used a version that is there already."""
    return {"kind": "use", "artifact": f"{reference.name}:{reference.alias}"}


def told(entry: Mapping[str, Any]) -> str:
    """Say an entry in a few words."""
    match entry["kind"]:
        case "run":
            return f"send {entry['dir']}"
        case "use":
            return f"say that the run used {entry['artifact']}"
        case "alias":
            return f"name {entry['artifact']} {', '.join(entry['aliases'])}"
        case "move":
            verb = "take from" if entry["gone"] else "move to"
            return f"{verb} {entry['artifact']} the alias {entry['alias']}"
        case "link":
            return f"link {entry['artifact']} to {entry['to']}"
        case "report":
            return f"save the report {entry['name']}"
    return str(entry["kind"])
