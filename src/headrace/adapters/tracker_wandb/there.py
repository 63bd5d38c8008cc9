"""What W&B's server is asked and told about runs that are logged: aliases, links, and whether all arrived.

As a program it answers requests, one JSON line each, for `headrace sync`: the client's imports, prints and
settings stay out of that process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

TIMEOUT_SECONDS = 20


class NotThere(Exception):
    """The server does not have what it should."""


def open_api() -> Any:
    import wandb

    return wandb.Api(timeout=TIMEOUT_SECONDS)


def find_entity(api: Any, entity: str | None) -> str:
    """Return the user or team that runs go to. Asks the server, so it tells whether that answers."""
    default = api.default_entity
    return str(entity or default)


def check_run(api: Any, path: str, state: str | None) -> None:
    """Raise `NotThere` where the server has not got the run to its end."""
    run = api.run(path)
    if run.state == "running":
        raise NotThere(f"the server still takes {path} for running")
    found = run.summary.get("state")
    if state is not None and found != state:
        raise NotThere(f"the server has {path} without its summary: state {found!r}, not {state!r}")


def check_artifacts(api: Any, path: str, wanted: list[dict[str, Any]]) -> None:
    """Raise `NotThere` where the server lacks what a run made, or does not know what it used."""
    run = api.run(path)
    made = {(a.name.partition(":")[0], a.digest) for a in run.logged_artifacts()}
    used = {(a.name.partition(":")[0], a.digest) for a in run.used_artifacts()}
    lacking = []
    for one in wanted:
        known = used if one["used"] else made
        # What an earlier run made of the same content stays that run's.
        if (one["name"], one["digest"]) not in known and (one["used"] or not _has_version(api, path, one)):
            lacking.append(one["name"])
    if lacking:
        raise NotThere(f"the server has {path} without {', '.join(sorted(set(lacking)))}")


def _has_version(api: Any, path: str, wanted: Mapping[str, Any]) -> bool:
    name = f"{path.rpartition('/')[0]}/{wanted['name']}"
    if not api.artifact_collection_exists(name, wanted["type"]):
        return False
    return any(found.digest == wanted["digest"] for found in api.artifacts(wanted["type"], name))


def carry_out(api: Any, path: str, entry: Mapping[str, Any]) -> str:
    """Do one entry of a run's pending list, and say what was done. Doing it again changes nothing."""
    if entry["kind"] not in KINDS:
        raise NotThere(f"this version of headrace cannot do {entry['kind']!r}")
    return KINDS[entry["kind"]](api, path, entry)


def _use(api: Any, path: str, entry: Mapping[str, Any]) -> str:
    name = f"{path.rpartition('/')[0]}/{entry['artifact']}"
    if not api.artifact_exists(name):
        return f"{entry['artifact']} is not there, for its own run was not sent: nothing to say of it"
    api.run(path).use_artifact(api.artifact(name))
    return f"the run used {entry['artifact']}"


def _give_aliases(api: Any, path: str, entry: Mapping[str, Any]) -> str:
    artifact = api.artifact(f"{path.rpartition('/')[0]}/{entry['artifact']}")
    wanted, newer = _without_newer(api, artifact, entry)
    if missing := [alias for alias in wanted if alias not in artifact.aliases]:
        artifact.aliases = [*artifact.aliases, *missing]
    artifact.metadata = {**artifact.metadata, "version": entry["version"]}
    artifact.save()
    return f"{entry['artifact']} is {', '.join(wanted)}{newer}"


def _link(api: Any, path: str, entry: Mapping[str, Any]) -> str:
    artifact = api.artifact(f"{path.rpartition('/')[0]}/{entry['artifact']}")
    wanted, newer = _without_newer(api, artifact, entry)
    artifact.link(entry["to"], aliases=wanted)
    return f"{entry['artifact']} is linked to {entry['to']}{newer}"


def _move(api: Any, path: str, entry: Mapping[str, Any]) -> str:
    """Let an alias name a version whatever its number, unless it was moved later than that."""
    alias, version = entry["alias"], entry["version"]
    project = path.rpartition("/")[0]
    name = f"{project}/{entry['artifact']}"
    holder = _find(api, f"{name.rpartition(':')[0]}:{alias}")
    if holder is not None and _moved_later(holder.metadata, entry):
        return f"{alias} stays with version {holder.metadata.get('version')}, to which it moved later"
    target = None if entry["gone"] else _find(api, name)
    if target is None:
        _take_alias(api, holder, alias, entry["to"])
        why = "" if entry["gone"] else f": {entry['artifact']} is not there, for its run logged no model"
        return f"nothing is {alias}{why}"
    tag = f"{name.rpartition(':')[0].rpartition('/')[2]}-v{version}"
    if missing := [one for one in (tag, alias) if one not in target.aliases]:
        target.aliases = [*target.aliases, *missing]
    mark = {"order": entry["order"], "newest": entry["newest"]}
    moved = {**(target.metadata.get("moved") or {}), alias: mark}
    target.metadata = {**target.metadata, "version": version, "moved": moved}
    target.save()
    if entry["to"]:
        target.link(entry["to"], aliases=[tag, alias])
    return f"{entry['artifact']} is {alias}"


def _find(api: Any, name: str) -> Any:
    return api.artifact(name) if api.artifact_exists(name) else None


def _take_alias(api: Any, holder: Any, alias: str, linked_to: str | None) -> None:
    """Let an alias name nothing, where the version lies and where it is linked to."""
    linked = _find(api, f"{linked_to}:{alias}") if linked_to else None
    for found in (holder, linked):
        if found is not None and alias in found.aliases:
            found.aliases = [one for one in found.aliases if one != alias]
            found.save()


def _moved_later(metadata: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Tell whether who has the alias got it after this move was made, by a move or by being published."""
    mark = (metadata.get("moved") or {}).get(entry["alias"])
    if mark is not None:
        return int(mark["order"]) > int(entry["order"])
    version = metadata.get("version")
    return version is not None and int(version) > int(entry["newest"])


def _without_newer(api: Any, artifact: Any, entry: Mapping[str, Any]) -> tuple[list[str], str]:
    """Leave out aliases that a newer version has by now: runs may be synced in any order.

    Also those that were moved after this version was published, to whatever version.
    """
    kept, newer = [], []
    for alias in entry["aliases"]:
        name = f"{artifact.entity}/{artifact.project}/{entry['artifact'].partition(':')[0]}"
        found = None if alias in artifact.aliases else _find(api, f"{name}:{alias}")
        about = {} if found is None else found.metadata
        mark = (about.get("moved") or {}).get(alias) or {}
        holder = about.get("version")
        moved_since = int(mark.get("newest", 0)) >= entry["version"]
        if moved_since or (holder is not None and int(holder) > entry["version"]):
            newer.append(f"; {alias} stays with version {holder}")
        else:
            kept.append(alias)
    return kept, "".join(newer)


KINDS: dict[str, Callable[[Any, str, Mapping[str, Any]], str]] = {
    "use": _use,
    "alias": _give_aliases,
    "link": _link,
    "move": _move,
}


def _answer(api: Any, request: Mapping[str, Any]) -> Any:
    match request["ask"]:
        case "entity":
            return find_entity(api, request["entity"])
        case "run":
            check_run(api, request["path"], request["state"])
            check_artifacts(api, request["path"], request["artifacts"])
            return api.run(request["path"]).url
        case _:
            return carry_out(api, request["path"], request["entry"])


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    api = None
    for line in sys.stdin:
        try:
            api = api or open_api()
            answer = {"answer": _answer(api, json.loads(line))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".strip().partition("\n")[0]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
