"""Signatures of functions and classes, read from source so that checking a config imports nothing."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from headrace.core.code import CodeIndex
from headrace.core.module import Facts
from headrace.errors import did_you_mean

_DEPTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An argument; `type` is its annotation as a qualified name (`pandas.DataFrame`), or ''.

    `annotation` is the whole annotation as written. `default` is None where the source does not have
    a number, a truth value or a string.
    """

    name: str
    type: str
    annotation: str
    required: bool
    default: str | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`any_name` is true where `**kwargs` takes what no parameter names.

    `returns` holds the names in the dict that the function returns, or None where the source does
    not tell. `strings` holds every string that a scikit-learn class says its params may be, with
    the names of the params that it speaks of; None where it does not say.
    """

    params: tuple[Parameter, ...]
    any_name: bool
    returns: tuple[str, ...] | None
    strings: frozenset[str] | None = None

    def names(self) -> list[str]:
        return [param.name for param in self.params]

    def requires(self, name: str) -> bool:
        """Tell whether an argument of that name has no default."""
        return any(param.required for param in self.params if param.name == name)

    def type_of(self, name: str) -> str:
        return next((param.type for param in self.params if param.name == name), "")


class NotCallable(LookupError):
    """Nothing can be imported under that name; `hint` says what is there instead."""

    def __init__(self, dotted: str, found: str, hint: str) -> None:
        self.found = found
        self.hint = hint
        super().__init__(f"{dotted}: {found}")


def find_signature(index: CodeIndex, dotted: str) -> Signature:
    """Return the signature of a function or of a class's constructor. Raises `NotCallable`.

    Reads source where source tells; what is built at import time (C extensions, decorated or
    generated classes) is imported and asked.
    """
    found = _resolve(index, dotted, 0)
    if isinstance(found, Signature):
        return found
    located = index.deepest(dotted)
    if located is None:
        top = dotted.partition(".")[0]
        raise NotCallable(dotted, f"there is no module '{top}'", _missing_module_hint(top, dotted))
    rest = dotted[len(located.name) + 1 :]
    if not rest or (located.is_package and "." in rest):
        raise _not_there(index, dotted, located.name, rest)
    return _ask(index, dotted, located.name, rest)


def _resolve(index: CodeIndex, dotted: str, depth: int) -> Signature | None:
    located = index.deepest(dotted)
    if located is None or depth > _DEPTH:
        return None
    rest = dotted[len(located.name) + 1 :]
    if not rest or "." in rest or located.file is None:
        return None
    names = index.names(located)
    if function := names["functions"].get(rest):
        return _build(function, names, located.name) if function["plain"] else None
    if rest in names["classes"]:
        return _constructor(index, names, located.name, rest, depth)
    if rest in names["aliases"]:
        return _resolve(index, names["aliases"][rest], depth + 1)
    for package in names["stars"]:
        if found := _resolve(index, f"{package}.{rest}", depth + 1):
            return found
    return None


def _constructor(index: CodeIndex, names: Facts, module: str, name: str, depth: int) -> Signature | None:
    facts = names["classes"][name]
    strings = _strings(index, f"{module}.{name}", depth)
    if facts["init"] is not None:
        return replace(_build(facts["init"], names, module), strings=strings)
    if not facts["plain"] or not facts["bases"]:
        return None
    base = _resolve(index, _qualify(facts["bases"][0], names, module), depth + 1)
    # A class that says nothing itself is held to what its base says.
    return base if base is None or facts["constraints"] is None else replace(base, strings=strings)


def _strings(index: CodeIndex, dotted: str, depth: int) -> frozenset[str] | None:
    """Return the strings in a class's constraints and in those it takes them from; None: unknown."""
    located = index.deepest(dotted)
    if located is None or located.file is None or depth > _DEPTH:
        return None
    names = index.names(located)
    rest = dotted[len(located.name) + 1 :]
    if rest in names["aliases"]:
        return _strings(index, names["aliases"][rest], depth + 1)
    facts = names["classes"].get(rest, {"constraints": None, "bases": []})
    constraints = facts["constraints"]
    if constraints is None:
        bases = (_qualify(base, names, located.name) for base in facts["bases"])
        told = (_strings(index, base, depth + 1) for base in bases)
        return next((strings for strings in told if strings is not None), None)
    found = frozenset(constraints["strings"])
    for name in constraints["taken"]:
        taken = _strings(index, _qualify(name, names, located.name), depth + 1)
        if taken is None:
            return None
        found |= taken
    return found


def _build(facts: Facts, names: Facts, module: str) -> Signature:
    return Signature(
        params=tuple(
            Parameter(
                name=name,
                type=_qualify(text, names, module),
                annotation=text,
                required=required,
                default=default,
            )
            for name, text, required, default in facts["params"]
        ),
        any_name=facts["any"],
        returns=None if facts["returns"] is None else tuple(facts["returns"]),
    )


def _qualify(text: str, names: Facts, module: str) -> str:
    """Turn `pd.DataFrame | None` into `pandas.DataFrame`, by the module's own imports."""
    plain = text.replace(" ", "").split("|")[0].split("[")[0]
    first, _, rest = plain.partition(".")
    if first in names["aliases"]:
        plain = names["aliases"][first] + (f".{rest}" if rest else "")
    elif first in names["classes"]:
        plain = f"{module}.{plain}"
    return {"pandas.core.frame.DataFrame": "pandas.DataFrame"}.get(plain, plain)


def _ask(index: CodeIndex, dotted: str, module: str, rest: str) -> Signature:
    try:
        thing: Any = importlib.import_module(module)
        for part in rest.split("."):
            thing = getattr(thing, part)
    except AttributeError:
        raise _not_there(index, dotted, module, rest) from None
    except ImportError as error:
        raise NotCallable(dotted, f"importing {module} failed: {error}", "install what is missing") from error
    if not callable(thing):
        raise NotCallable(dotted, f"it is a {type(thing).__name__}, not a function or class", "")
    try:
        asked = inspect.signature(thing)
    except (TypeError, ValueError):
        return Signature(params=(), any_name=True, returns=None)
    kinds = inspect.Parameter
    params = [p for p in asked.parameters.values() if p.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)]
    return Signature(
        params=tuple(
            Parameter(
                name=p.name,
                type=p.annotation if isinstance(p.annotation, str) else getattr(p.annotation, "__name__", ""),
                annotation=p.annotation if isinstance(p.annotation, str) else "",
                required=p.default is kinds.empty,
            )
            for p in params
        ),
        any_name=any(p.kind is kinds.VAR_KEYWORD for p in asked.parameters.values()),
        returns=None,
    )


def _not_there(index: CodeIndex, dotted: str, module: str, rest: str) -> NotCallable:
    missing, _, tail = rest.partition(".")
    if not missing:
        return NotCallable(dotted, f"'{module}' is a module, not a function or class", f"{module}.<function>")
    names = list(_contents(index, module))
    hint = did_you_mean(missing, names, f"{module}.{{}}" + (f".{tail}" if tail else ""))
    return NotCallable(dotted, f"'{module}' has no '{missing}'", hint)


def _contents(index: CodeIndex, module: str) -> Iterable[str]:
    located = index.locate(module)
    if located is None or located.file is None:
        return
    names = index.names(located)
    defined = [*names["functions"], *names["classes"], *names["aliases"]]
    yield from (name for name in defined if not name.startswith("_"))
    if located.is_package:
        for child in sorted(located.file.parent.iterdir()):
            if (child.suffix == ".py" or (child / "__init__.py").is_file()) and child.name[0] not in "._":
                yield child.stem


def _missing_module_hint(top: str, dotted: str) -> str:
    from pkgutil import iter_modules

    near = did_you_mean(top, (found.name for found in iter_modules()), "{}" + dotted[len(top) :])
    if near.startswith("did you mean"):
        return near
    return f"pip install {top}, or check the spelling"
