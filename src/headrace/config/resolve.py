"""Turn a composed config into plain data: for the specs whole, for the record without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from headrace.core.secrets import REDACTED, is_secret, without_secrets
from headrace.errors import Problem

Path = tuple[Any, ...]

_VARIABLE = re.compile(r"oc\.env:\s*['\"]?([^,}'\"\s]*)")
_REFERENCE = re.compile(r"(?:\$\{|oc\.select:\s*)dataset\.(\w+)")
AT = "at"  # of a data set: read by headrace itself, and short enough to be near much
_NEAR = 0.8  # `sorce` is near `source`; `columns` is not near `join_columns`


def resolve(cfg: DictConfig, problems: list[Problem]) -> dict[str, Any]:
    """Return the config as plain data, resolved; what cannot be resolved becomes a problem.

    Such a value, and one that is mandatory and missing, is `???` in what is returned.
    """
    missing = [dotted(path) for path, node in leaves(cfg, into_lists=True) if node._is_missing()]
    problems += [Problem(where, "has no value (???)", f"type: {where}=<value>") for where in sorted(missing)]
    try:
        return {str(key): value for key, value in _plain(cfg).items()}
    except OmegaConfBaseException:
        pass
    resolved: dict[str, Any] = {}
    for path, node in leaves(cfg):
        try:
            value = _plain(node._dereference_node())
        except InterpolationToMissingValueError:
            value = MISSING  # what it points to is a problem already
        except OmegaConfBaseException as error:
            value = MISSING
            first = str(error).splitlines()[0]
            problems.append(Problem(dotted(path), first, "check the name inside ${...}"))
        _assign(resolved, path, value)
    return resolved


def public_config(cfg: DictConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolved config without secrets: by name, and by the variable that a value came from.

    `data` is the config resolved. What interpolates a secret is redacted with it.
    """
    if not any(_reads_secret(node) for _, node in leaves(cfg, into_lists=True)):
        return dict(without_secrets(data))
    masked = deepcopy(cfg)
    OmegaConf.set_readonly(masked, False)
    for _, node in leaves(masked, into_lists=True):
        if _reads_secret(node):
            node._set_value(REDACTED)
    return dict(without_secrets(resolve(masked, [])))


def find_unread(cfg: DictConfig) -> Iterator[Problem]:
    """Find keys of `dataset` that nothing reads and that are nearly spelt like one that is read.

    Other unread keys are fine: a data set says more about itself than each pipeline asks.
    """
    dataset = cfg._get_node("dataset", validate_access=False)
    if not isinstance(dataset, DictConfig) or dataset._is_none() or dataset._is_missing():
        return
    texts = [str(node._value()) for _, node in leaves(cfg, into_lists=True) if node._is_interpolation()]
    read = {name for text in texts for name in _REFERENCE.findall(text)}
    for key in map(str, dataset):
        near = [] if key in read or key == AT else get_close_matches(key, read, n=1, cutoff=_NEAR)
        if near:
            hint = f"did you mean dataset.{near[0]}?"
            yield Problem(f"dataset.{key}", "nothing reads this key", hint)


def leaves(node: Any, path: Path = (), into_lists: bool = False) -> Iterator[tuple[Path, Any]]:
    """Yield the nodes without children, each with its keys; a list is one unless `into_lists`."""
    inner = isinstance(node, DictConfig) or (into_lists and isinstance(node, ListConfig))
    if not inner or node._is_interpolation() or node._is_missing() or node._is_none():
        yield path, node
        return
    for key in node if isinstance(node, DictConfig) else range(len(node)):
        yield from leaves(node._get_node(key), (*path, key), into_lists)


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _plain(node: Any) -> Any:
    """Return a node as plain data, resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node._value()


def _assign(tree: dict[Any, Any], path: Path, value: Any) -> None:
    for parent in path[:-1]:
        tree = tree.setdefault(parent, {})
    tree[path[-1]] = value


def _reads_secret(node: Any) -> bool:
    """Tell whether a node is a text that takes in a variable whose name is secret or computed."""
    text = node._value()
    names = _VARIABLE.findall(text) if isinstance(text, str) else []
    return any(is_secret(name) or "$" in name for name in names)
