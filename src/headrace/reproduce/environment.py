"""What of the world differs from what a run recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headrace.core.record import RunRecord
from headrace.core.secrets import REDACTED


def environment_differences(
    record: RunRecord, machine: Mapping[str, Any], version_of: Callable[[str], str | None]
) -> list[str]:
    """Return what differs in packages and machine, in words."""
    found = []
    for name, version in record.packages.items():
        now = version_of(name)
        if now != version:
            found.append(f"package {name} {version} → {now or 'not installed'}")
    for name, before in record.machine.items():
        if machine.get(name) != before:
            found.append(f"{name} {before or 'nothing'} → {machine.get(name) or 'nothing'}")
    return found


def code_differences(before: RunRecord, now: RunRecord) -> list[str]:
    """Return the modules whose code is not that of the run, where both reached them."""
    old, new = _modules(before), _modules(now)
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    return [f"code of {name}" for name in changed]


def input_differences(before: RunRecord, now: RunRecord, stage: str) -> list[str]:
    """Return the inputs of a stage that have other digests, by argument."""
    sides = [next((s.inputs for s in record.stages if s.name == stage), {}) for record in (before, now)]
    return [f"input {name}" for name, digest in sides[0].items() if sides[1].get(name) != digest]


def find_redacted(config: Any, path: str = "") -> list[str]:
    """Return the keys whose values are secrets, which no record holds."""
    if isinstance(config, Mapping):
        children = [(f"{path}.{key}" if path else str(key), value) for key, value in config.items()]
    elif isinstance(config, list):
        children = [(f"{path}[{number}]", value) for number, value in enumerate(config)]
    else:
        return [path] if isinstance(config, str) and REDACTED in config else []
    return [found for where, value in children for found in find_redacted(value, where)]


def _modules(record: RunRecord) -> dict[str, str]:
    found: dict[str, str] = {}
    for stage in record.stages:
        found.update((stage.key_parts or {}).get("code", {}))
    return found
