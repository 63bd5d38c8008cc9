"""Check a plain value against what an argument says of itself: its annotation, or its default."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import MISSING

from headrace.core.signature import Parameter, Signature
from headrace.core.spec import TARGET
from headrace.errors import Problem, did_you_mean

PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}


def check_value(signature: Signature, where: str, name: str, value: Any) -> Iterator[Problem]:
    """Check one argument; nothing is said of what the annotation does not tell in plain types."""
    param = next((p for p in signature.params if p.name == name), None)
    if param is None:
        return
    if param.annotation:
        yield from _check_type(_parse(param.annotation), where, value)
    elif signature.strings is not None:
        yield from _check_default(param, signature.strings, where, value)


def _check_default(param: Parameter, strings: frozenset[str], where: str, value: Any) -> Iterator[Problem]:
    """Refuse a string that stands where the default is a number and of which the class says nothing."""
    a_number = isinstance(param.default, int | float) and not isinstance(param.default, bool)
    a_string = isinstance(value, str) and value != MISSING
    if a_string and a_number and param.name in strings and value not in strings:
        found = f"{value!r} is not a number (the default is {param.default})"
        yield Problem(where, found, f"type: {where}={param.default}")


def _parse(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return None


def _check_type(wanted: ast.expr | None, where: str, value: Any) -> Iterator[Problem]:
    """Check a value and what is in it. `wanted` is an annotation as a syntax tree."""
    if wanted is None or value == MISSING or (isinstance(value, Mapping) and TARGET in value):
        return
    options = list(_options(wanted))
    if any(not list(_check_option(option, where, value)) for option in options):
        return
    # Where one option is of the value's own kind, what is wrong is inside.
    alike = [option for option in options if _is_container(option, value)]
    if len(options) == 1 or len(alike) == 1:
        yield from _check_option((alike or options)[0], where, value)
    else:
        yield _wrong(wanted, where, value)


def _check_option(wanted: ast.expr, where: str, value: Any) -> Iterator[Problem]:
    """Check a value against a type without `|`."""
    name, items = _name(wanted), _items(wanted)
    if name == "Literal":
        choices = [item.value for item in items if isinstance(item, ast.Constant)]
        if value not in choices:
            hint = did_you_mean(str(value), map(str, choices), f"{where}={{}}")
            yield Problem(where, f"{value!r} is none of its choices", hint)
    elif name in PLAIN_TYPES:
        allowed = PLAIN_TYPES[name]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            yield _wrong(wanted, where, value)
        elif isinstance(value, list) and len(items) == 1:
            for i, item in enumerate(value):
                yield from _check_type(items[0], f"{where}[{i}]", item)
        elif isinstance(value, Mapping) and len(items) == 2:
            for key, item in value.items():
                yield from _check_key(items[0], f"{where}.{key}", str(key))
                yield from _check_type(items[1], f"{where}.{key}", item)


def _check_key(wanted: ast.expr, where: str, key: str) -> Iterator[Problem]:
    """Check a key against the keys that a `Literal` lists; others are as YAML reads them."""
    if _name(wanted) == "Literal":
        choices = [str(item.value) for item in _items(wanted) if isinstance(item, ast.Constant)]
        if key not in choices:
            yield Problem(where, "there is no such key", did_you_mean(key, choices))


def _wrong(wanted: ast.expr, where: str, value: Any) -> Problem:
    text = ast.unparse(wanted).replace("'", "")
    return Problem(where, f"{value!r} is not of type {text}", f"type: {where}=<{text}>")


def _options(wanted: ast.expr) -> Iterator[ast.expr]:
    """Yield the types between `|`."""
    if isinstance(wanted, ast.BinOp) and isinstance(wanted.op, ast.BitOr):
        yield from _options(wanted.left)
        yield from _options(wanted.right)
    else:
        yield wanted


def _name(wanted: ast.expr) -> str:
    """Return `list` of `list[str]`, `Literal` of `t.Literal[...]`; '' for what is no name."""
    plain = wanted.value if isinstance(wanted, ast.Subscript) else wanted
    if isinstance(plain, ast.Constant):
        return str(plain.value)
    return plain.attr if isinstance(plain, ast.Attribute) else getattr(plain, "id", "")


def _items(wanted: ast.expr) -> list[ast.expr]:
    """Return what is in the brackets."""
    if not isinstance(wanted, ast.Subscript):
        return []
    return list(wanted.slice.elts) if isinstance(wanted.slice, ast.Tuple) else [wanted.slice]


def _is_container(wanted: ast.expr, value: Any) -> bool:
    name = _name(wanted)
    return name in ("list", "dict") and isinstance(value, PLAIN_TYPES[name])
