"""The request as a pydantic-core schema: JSON is parsed and checked in one pass, mostly without Python.

Each column is a union: first what Rust can tell by itself, then the column's own definition, which
decides about everything that the first refuses. So the first may be narrow, and must not be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from math import ceil, floor, isfinite
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, core_schema

from headrace.adapters.schema_pydantic.column import Column

_BOUNDS = {
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
}


def build_validator(columns: Sequence[Column], ignored: Iterable[str], max_rows: int) -> SchemaValidator:
    """Build what takes a request's bytes. It stops at the first row that is wrong: finding all that is
    wrong with a request is left to who has to tell."""
    values = {column.name: _of_column(column) for column in columns}
    skipped = [name for name in ignored if name not in values]
    record = core_schema.typed_dict_schema(
        {name: core_schema.typed_dict_field(schema) for name, schema in values.items()}
        | {name: core_schema.typed_dict_field(core_schema.any_schema(), required=False) for name in skipped},
        extra_behavior="forbid",
    )
    whole = core_schema.typed_dict_schema(
        {name: core_schema.typed_dict_field(_list(schema, max_rows)) for name, schema in values.items()}
        | {
            name: core_schema.typed_dict_field(_list(core_schema.any_schema(), max_rows), required=False)
            for name in skipped
        },
        extra_behavior="forbid",
    )
    request = {
        "records": core_schema.typed_dict_field(_list(record, max_rows), required=False),
        "columns": core_schema.typed_dict_field(whole, required=False),
        "probabilities": core_schema.typed_dict_field(core_schema.bool_schema(strict=True), required=False),
    }
    return SchemaValidator(core_schema.typed_dict_schema(request, extra_behavior="forbid"))


def _list(items: CoreSchema, max_rows: int) -> CoreSchema:
    return core_schema.list_schema(items, min_length=1, max_length=max_rows, fail_fast=True, strict=True)


def _of_column(column: Column) -> CoreSchema:
    slow = core_schema.no_info_plain_validator_function(partial(column.take, source="json"))
    fast = _fast(column)
    schema = slow if fast is None else core_schema.union_schema([fast, slow], mode="left_to_right")
    return core_schema.nullable_schema(schema) if column.nullable else schema


def _fast(column: Column) -> CoreSchema | None:
    """Return what accepts a part of the column's values in Rust, with their checks; None where nothing."""
    word, checks = column.kind.word, column.checks
    if word in ("string", "scalar") and len(checks) == 1 and checks[0].name == "isin":
        texts = [value for value in next(iter(checks[0].args.values())) if isinstance(value, str)]
        return core_schema.literal_schema(texts) if texts else None
    if word in ("string", "scalar"):
        return _checked(column, core_schema.str_schema(strict=True))
    if word == "boolean":
        return _checked(column, core_schema.bool_schema(strict=True))
    bounds = _bounds(column)
    if word == "integer":
        low, high = _whole_bounds(column, bounds or {})
        whole = core_schema.int_schema(strict=True, ge=low, le=high)
        return whole if bounds is not None else _checked(column, whole)
    if word == "number" and column.kind.precision is None:
        number = core_schema.float_schema(strict=True, allow_inf_nan=False, **(bounds or {}))
        return number if bounds is not None else _checked(column, number)
    return None


def _checked(column: Column, schema: CoreSchema) -> CoreSchema:
    if not column.checks:
        return schema

    def check(value: Any) -> Any:
        if not column.holds(value):
            raise ValueError
        return value

    return core_schema.no_info_after_validator_function(check, schema)


def _bounds(column: Column) -> dict[str, Any] | None:
    """Return the checks as bounds, at most one of a sort; None where they are not all such."""
    found: dict[str, Any] = {}
    for check in column.checks:
        args = check.args
        if check.name == "in_range":
            more = {
                "ge" if args.get("include_min", True) else "gt": args["min_value"],
                "le" if args.get("include_max", True) else "lt": args["max_value"],
            }
        elif check.name in _BOUNDS:
            more = {_BOUNDS[check.name]: next(iter(args.values()))}
        else:
            return None
        if found.keys() & more.keys() or not all(_is_finite(bound) for bound in more.values()):
            return None
        found |= more
    return found


def _whole_bounds(column: Column, bounds: dict[str, Any]) -> tuple[int, int]:
    """Bring bounds to whole numbers within those of the type."""
    low = [column.kind.low]
    high = [column.kind.high]
    for name, bound in bounds.items():
        if name == "ge":
            low.append(ceil(bound))
        elif name == "gt":
            low.append(floor(bound) + 1)
        elif name == "le":
            high.append(floor(bound))
        else:
            high.append(ceil(bound) - 1)
    return max(low), min(high)


def _is_finite(bound: Any) -> bool:
    return type(bound) is int or (type(bound) is float and isfinite(bound))
