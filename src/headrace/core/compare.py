"""What differs between two runs, as their records say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from headrace.core.record import RunRecord, StageRecord

Section = Literal["config", "code", "data", "packages", "machine", "stages", "metrics", "result"]
# What says how a run was asked for, and not what it did.
_NOT_CONFIG = ("against", "headrace_dir", "lake", "runtime", "tracker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same: None where a side has none."""

    section: Section
    name: str
    left: Any
    right: Any

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(left: RunRecord, right: RunRecord) -> list[Difference]:
    """Return everything that differs, in the order in which a person asks for it."""
    found: list[Difference] = []
    found += _mappings("config", _config(left), _config(right))
    found += _code(left, right)
    found += _data(left, right)
    found += _mappings("packages", left.packages, right.packages)
    found += _mappings("machine", _flat(left.machine), _flat(right.machine))
    found += _stages(left, right)
    found += _mappings("metrics", left.metrics, right.metrics)
    result = (_result(left), _result(right))
    found += _mappings("result", *result)
    return found


def _config(record: RunRecord) -> dict[str, Any]:
    return _flat({key: value for key, value in record.config.items() if key not in _NOT_CONFIG})


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, Mapping) and tree:
        found: dict[str, Any] = {}
        for key, value in tree.items():
            found |= _flat(value, f"{path}.{key}" if path else str(key))
        return found
    return {path: tree} if path else {}


def _mappings(section: Section, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*left, *(name for name in right if name not in left)]:
        before, now = left.get(name), right.get(name)
        # 1 is 1.0 to Python, and another value to a key.
        if before != now or type(before) is not type(now):
            yield Difference(section=section, name=name, left=before, right=now)


def _code(left: RunRecord, right: RunRecord) -> Iterator[Difference]:
    yield from _mappings(
        "code", {"git commit": left.git.get("commit")}, {"git commit": right.git.get("commit")}
    )
    yield from _mappings("code", _modules(left), _modules(right))


def _modules(record: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in record.stages:
        found.update((stage.key_parts or {}).get("code", {}))
    return dict(sorted(found.items()))


def _data(left: RunRecord, right: RunRecord) -> Iterator[Difference]:
    """Compare what came from outside, by what it is and by its digest."""
    yield from _mappings("data", _sources(left), _sources(right))


def _sources(record: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in record.stages:
        for argument, source in stage.sources.items():
            name = f"{stage.name}.{argument}"
            found[name] = {**source, "digest": stage.inputs.get(argument)}
            found[name].pop("files", None)
    return found


def _stages(left: RunRecord, right: RunRecord) -> Iterator[Difference]:
    """Compare what the stages made; that one ran and the other was cached is no difference."""
    sides = [{stage.name: stage for stage in record.stages} for record in (left, right)]
    for name in [*sides[0], *(name for name in sides[1] if name not in sides[0])]:
        yield from _mappings("stages", _made(name, sides[0].get(name)), _made(name, sides[1].get(name)))


def _made(name: str, stage: StageRecord | None) -> dict[str, Any]:
    if stage is None:
        return {}
    ended = {name: stage.state} if stage.state not in ("ran", "cached") else {}
    return ended | {f"{name}.{output}": artifact.digest for output, artifact in stage.outputs.items()}


def _result(record: RunRecord) -> dict[str, Any]:
    published = record.published or {}
    return {
        "state": record.state,
        "seed": record.seed,
        "gate": None if record.gate is None else record.gate.get("passed"),
        "model": published.get("model"),
        "version": published.get("version"),
    }
