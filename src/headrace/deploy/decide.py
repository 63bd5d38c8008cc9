"""What a request comes to, by the registry as it is: which version, and by which run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.record import RunRecord
from headrace.deploy.late import find_package
from headrace.deploy.settings import Request
from headrace.errors import ModelNotFound
from headrace.registry import (
    Why,
    find_aliased,
    find_before,
    find_numbered,
    find_version,
    holder,
    require_versions,
)

FindRun = Callable[[str], RunRecord]
"""Returns the run that a person names, or whose id it is. Raises `RunNotFound`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`start` is what the alias names today, `to` what it is to name: None for nothing, or for the version
    that `package`, of a run that is none yet, is still to become."""

    why: Why
    start: int | None
    to: int | None
    run: str | None
    package: Artifact | None = None

    def changes(self, registry: Mapping[str, Any], request: Request) -> bool:
        """Tell whether there is anything to do."""
        if self.package is not None or self.start != self.to or request.clears:
            return True
        return request.share != (registry.get("shares") or {}).get(request.alias)


def decide(request: Request, registry: Mapping[str, Any], find_run: FindRun) -> Decision:
    """Say what is to be done. Raises `ModelNotFound` and `RunNotFound` where it cannot be."""
    start = holder(registry, request.alias)
    if request.action == "run":
        return _of_run(request, registry, find_run(str(request.run)), start)
    if request.action == "remove":
        found = find_aliased(registry, request.alias)
        return Decision(why="remove", start=start, to=None, run=found["run"])
    if request.action == "rollback":
        found = _before(registry, request.alias)
        return Decision(why="rollback", start=start, to=found["version"], run=found["run"])
    if request.action == "promote":
        found = find_aliased(registry, str(request.source))
    else:
        found = find_numbered(registry, int(request.version or 0))
    return Decision(why="promote", start=start, to=int(found["version"]), run=found["run"])


def _of_run(request: Request, registry: Mapping[str, Any], record: RunRecord, start: int | None) -> Decision:
    package = find_package(record, request.model)
    found = find_version(registry, package.digest)
    if found is not None:
        return Decision(why="promote", start=start, to=int(found["version"]), run=record.id)
    return Decision(why="promote", start=start, to=None, run=record.id, package=package)


def _before(registry: Mapping[str, Any], alias: str) -> dict[str, Any]:
    require_versions(registry)
    version = find_before(registry, alias)
    if version is None:
        model, now = registry["model"], holder(registry, alias)
        known = "nothing" if now is None else f"nothing before version {now}"
        hint = f"name one: version=<number>; see: headrace models {model}"
        raise ModelNotFound(f"{model}@{alias} cannot go back: its history knows of {known}; {hint}")
    return find_numbered(registry, version)
