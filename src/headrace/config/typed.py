"""Check a plain mapping against a dataclass of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from headrace.errors import Problem, did_you_mean


def unknown_keys(where: str, node: Iterable[Any], allowed: list[str]) -> Iterator[Problem]:
    for key in node:
        if key not in allowed:
            path = f"{where}.{key}" if where else str(key)
            yield Problem(path, "there is no such key", did_you_mean(str(key), allowed))


def typed_node(schema: type[Any], where: str, node: Any, problems: list[Problem]) -> Any:
    """Return the node as a checked dataclass, or None where it is no mapping.

    Keys that do not fit become problems and keep their defaults, so that problems further down are
    found in the same round. A mandatory value that is not there is `???`.
    """
    if not isinstance(node, Mapping):
        problems.append(Problem(where, f"'{node}' is not a mapping", f"type: {where}.<key>=<value>"))
        return None
    types = {f.name: str(f.type) for f in fields(schema)}
    problems += unknown_keys(where, node, list(types))
    known = {key: value for key, value in node.items() if key in types}
    fitting = {key: value for key, value in known.items() if _fits(types[key], value)}
    for key in [key for key in known if key not in fitting]:
        try:
            merged = OmegaConf.merge(OmegaConf.structured(schema), {key: known[key]})
            fitting[key] = OmegaConf.to_container(merged)[key]  # type: ignore[index]
        except OmegaConfBaseException as error:
            path = f"{where}.{key}" if where else key
            hint = f"type: {path}=<{types[key]}>"
            problems.append(Problem(path, str(error).splitlines()[0], hint))
    return schema(**fitting)


def _fits(kind: str, value: Any) -> bool:
    """Tell whether a value is of its type as it stands. The others go through OmegaConf, which converts.

    It takes some 10 ms a stage for that, which hundreds of stages cannot afford.
    """
    inner = kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Optional[") else kind
    if value is None:
        return inner != kind
    if inner in _PLAIN:
        return type(value) is _PLAIN[inner]
    container, _, rest = inner.partition("[")
    item = rest.removesuffix("]").rpartition(", ")[2]
    if container == "dict":
        keys_fit = isinstance(value, dict) and all(type(key) is str for key in value)
        return keys_fit and (item == "Any" or all(_fits(item, child) for child in value.values()))
    return container == "list" and isinstance(value, list) and all(_fits(item, child) for child in value)


_PLAIN = {"str": str, "int": int, "float": float, "bool": bool}
