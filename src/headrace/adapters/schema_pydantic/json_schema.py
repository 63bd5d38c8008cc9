"""The request as JSON schema, draft 2020-12: what it allows is what is accepted, as far as it can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.adapters.schema_pydantic.checks import RowCheck
from headrace.adapters.schema_pydantic.column import SCALAR_BOUND, Column
from headrace.adapters.schema_pydantic.times import DAY, END, PLAIN, ZONED, years_pattern
from headrace.core.model_signature import ModelSignature

_LOWER = ("minimum", "exclusiveMinimum", "minLength")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength")
_BOUNDS = {
    "greater_than": "exclusiveMinimum",
    "greater_than_or_equal_to": "minimum",
    "less_than": "exclusiveMaximum",
    "less_than_or_equal_to": "maximum",
}


def request_schema(columns: Sequence[Column], signature: ModelSignature, max_rows: int) -> dict[str, Any]:
    """Describe both forms of a request. Columns that are accepted and dropped may hold anything."""
    values = {column.name: _of_column(column) for column in columns}
    ignored = [name for name in signature.ignored if name not in values]
    told = {"description": "Accepted and not read: the model does not use it."}
    record = _object(values | {name: dict(told) for name in ignored}, list(values))
    lists = {name: _list(schema, max_rows) for name, schema in values.items()}
    lists |= {name: _list(dict(told), max_rows) for name in ignored}
    probabilities: dict[str, Any] = {
        "type": "boolean",
        "default": False,
        "description": "Give the probability of each class too.",
    }
    if not signature.probabilities:
        probabilities = {"const": False, "description": "This model gives no probabilities."}
    forms = {
        "records": _list(record, max_rows) | {"description": "One object a row."},
        "columns": _object(lists, list(values)) | {"description": "The rows by column; all of one length."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rows to predict",
        "oneOf": [
            _object({name: form, "probabilities": probabilities}, [name]) for name, form in forms.items()
        ],
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], max_rows: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": max_rows}


def _of_column(column: Column) -> dict[str, Any]:
    schema = _of_kind(column)
    for check in column.checks:
        for key, value in _of_check(column, check).items():
            _narrow(schema, key, value)
    if column.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    told = column.description or f"{column.wanted[:1].upper()}{column.wanted[1:]}."
    return {**schema, "description": told}


def _narrow(schema: dict[str, Any], key: str, value: Any) -> None:
    """Add a rule; of two bounds the narrower one counts."""
    if key not in schema:
        schema[key] = value
    elif key in _LOWER or key in _UPPER:
        schema[key] = max(schema[key], value) if key in _LOWER else min(schema[key], value)
    else:
        schema.setdefault("allOf", []).append({key: value})


def _of_kind(column: Column) -> dict[str, Any]:
    kind = column.kind
    if kind.word == "integer":
        return {"type": "integer", "minimum": kind.low, "maximum": kind.high}
    if kind.word == "number":
        largest = kind.largest
        return {"type": "number", "minimum": -largest, "maximum": largest}
    if kind.word == "boolean":
        return {"type": "boolean"}
    if kind.word == "scalar":
        if any(check.name.startswith("str_") for check in column.checks):
            return {"type": "string"}
        number = {"type": "number", "minimum": -SCALAR_BOUND, "exclusiveMaximum": SCALAR_BOUND}
        return {"anyOf": [{"type": "string"}, {"type": "boolean"}, number]}
    if kind.word == "date":
        return {"type": "string", "format": "date", "pattern": DAY}
    if kind.word == "time":
        years = {"pattern": years_pattern(kind.low, kind.high)}
        zoned = {"format": "date-time"} if kind.zone else {}
        return {"type": "string", **zoned, "pattern": ZONED if kind.zone else PLAIN, "allOf": [years]}
    return {"type": "string"}


def _of_check(column: Column, check: RowCheck) -> dict[str, Any]:
    """Say a check; {} where JSON schema has no words for it (an order of strings or times)."""
    args = check.args
    numeric = column.kind.word in ("integer", "number")
    if check.name == "in_range" and numeric:
        low = "minimum" if args.get("include_min", True) else "exclusiveMinimum"
        high = "maximum" if args.get("include_max", True) else "exclusiveMaximum"
        return {low: args["min_value"], high: args["max_value"]}
    if check.name in _BOUNDS:
        return {_BOUNDS[check.name]: next(iter(args.values()))} if numeric else {}
    if column.kind.word in ("time", "date") or check.name == "in_range":
        return {}
    if check.name == "str_length":
        return _of_length(**args)
    (value,) = args.values()
    if check.name in ("isin", "notin"):
        value = [bool(one) for one in value] if column.kind.word == "boolean" else list(value)
        return {"enum": value} if check.name == "isin" else {"not": {"enum": value}}
    if check.name in ("equal_to", "not_equal_to"):
        return {"const": value} if check.name == "equal_to" else {"not": {"const": value}}
    patterns = {
        "str_matches": f"^(?:{str(value).removeprefix('^')})",
        "str_contains": str(value),
        "str_startswith": f"^{_literally(str(value))}",
        "str_endswith": f"{_literally(str(value))}{END}",
    }
    return {"pattern": patterns[check.name]}


def _literally(text: str) -> str:
    return "".join(f"\\{one}" if one in r"\^$.|?*+()[]{}/" else one for one in text)


def _of_length(
    min_value: int | None = None, max_value: int | None = None, exact_value: int | None = None
) -> dict[str, Any]:
    low, high = (min_value, max_value) if exact_value is None else (exact_value, exact_value)
    bounds = {"minLength": low, "maxLength": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}
