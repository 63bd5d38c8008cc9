"""Checks of a table's schema: its keys, the names of its checks and its types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from headrace.core.schema_keys import CHECK_NAMES, COLUMN_KEYS, DTYPES, SCHEMA_KEYS
from headrace.errors import Problem, did_you_mean

_NEAR = 0.75  # `flaot64` is near `float64`; `geometry` is near nothing and may be a library's own


def check_schema(where: str, schema: Any) -> Iterator[Problem]:
    """Check the keys of a schema and of its columns, and the checks and types that they name."""
    if not isinstance(schema, Mapping):
        return
    yield from _check_part(where, schema, "a schema", (*SCHEMA_KEYS, *CHECK_NAMES))
    columns = schema.get("columns")
    for name, column in columns.items() if isinstance(columns, Mapping) else ():
        if isinstance(column, Mapping):
            yield from _check_part(
                f"{where}.columns.{name}", column, "a column", (*COLUMN_KEYS, *CHECK_NAMES)
            )


def _check_part(where: str, part: Mapping[str, Any], what: str, known: tuple[str, ...]) -> Iterator[Problem]:
    for key in part:
        if key not in known:
            yield Problem(f"{where}.{key}", f"{what} has no such key", did_you_mean(str(key), known))
    checks = part.get("checks") or ()
    for check in checks if isinstance(checks, Mapping) else map(_name_of, checks):
        if check not in CHECK_NAMES:
            hint = did_you_mean(str(check), CHECK_NAMES)
            yield Problem(f"{where}.checks.{check}", "there is no such check", hint)
    dtype = part.get("dtype")
    if isinstance(dtype, str) and (near := _meant(dtype)):
        yield Problem(f"{where}.dtype", f"there is no type '{dtype}'", f"did you mean {near}?")


def _name_of(check: Any) -> str:
    """Return the name of a check that is written as an item of a list."""
    options = check.get("options") if isinstance(check, Mapping) else None
    return str((options or {}).get("check_name", check))


def _meant(dtype: str) -> str:
    """Return the type that a misspelt one is near to, or '' where it is right or may be."""
    plain, bracket, rest = dtype.partition("[")
    if plain in DTYPES:
        return ""
    near = get_close_matches(plain, DTYPES, n=1, cutoff=_NEAR)
    return f"{near[0]}{bracket}{rest}" if near else ""
