"""The key of a stage: everything that its outputs depend on, in one digest."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.code import CodeIndex
from headrace.core.digest import KEY_FORMAT, CannotEncode, digest_value
from headrace.core.signature import Signature
from headrace.core.spec import StageSpec, find_targets
from headrace.errors import ConfigError

CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Key:
    """`value` is the sha256 (hex) of `parts`, which are kept so that a difference can be named.

    `unfollowed` says where the code imports a module whose name is computed (`module:line`); there is
    none where the stage declares what it depends on.
    """

    value: str
    parts: Mapping[str, Any]
    unfollowed: tuple[str, ...] = ()


def make_key(
    index: CodeIndex,
    spec: StageSpec,
    params: Mapping[str, Any],
    signature: Signature,
    inputs: Mapping[str, str],
    seed: int,
) -> Key:
    """Return the key of a stage on inputs given by digest (argument -> digest).

    `params` are the stage's params as they may be recorded, without secrets.

    The seed counts only for a stage that takes a `context`, which is how a stage gets it; so stages
    that draw nothing are shared between seeds. Raises `ConfigError` for a param without a digest.
    """
    reach = index.reach([spec.call, *spec.depends_on, *find_targets(params), *_named_code(params)])
    parts = {
        "format": KEY_FORMAT,
        "call": spec.call,
        "code": reach.modules,
        "params": dict(params),
        "inputs": dict(sorted(inputs.items())),
        "returns": sorted(spec.outputs),
        "seed": seed if CONTEXT in signature.names() else None,
        "packages": {"python": python_version(), **reach.packages},
    }
    # headrace's own import names from the params, and dotted names in params are followed above.
    mine = [place for place in reach.dynamic if not place.startswith("headrace.")]
    unfollowed = () if spec.depends_on else tuple(mine)
    try:
        return Key(digest_value(parts), parts, unfollowed)
    except CannotEncode as error:
        raise ConfigError.one(
            f"stages.{spec.name}", str(error), "write it as a string, or as a node with _target_"
        ) from error


_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def _named_code(value: Any) -> list[str]:
    """Return the dotted names among params: `my_project.rules.Flights` is code that the stage may use.

    One that is no module, such as a file's name, adds nothing.
    """
    if isinstance(value, Mapping):
        return [name for child in value.values() for name in _named_code(child)]
    if isinstance(value, list | tuple):
        return [name for child in value for name in _named_code(child)]
    return [value] if isinstance(value, str) and _DOTTED.fullmatch(value) else []


def python_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])
