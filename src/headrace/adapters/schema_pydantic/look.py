"""Look at a whole column at once: with numpy where its values allow, one by one where they do not.

What is right and wrong is said by `Column`; this only says it faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headrace.adapters.schema_pydantic.column import Column, Source, WrongValue, is_text

_FAST_TYPES: dict[str, set[type]] = {
    "integer": {int},
    "number": {int, float, type(None)},
    "boolean": {bool},
    "string": {str, type(None)},
    "scalar": {str, type(None)},
}
_FEW = 8  # values that are asked about sooner than numpy is
Looked = tuple[Any, list[int]]
"""The values as the model gets them, a list or a numpy array, and the positions of those that are wrong:
there stands anything."""


def look_at(column: Column, values: Any, source: Source) -> Looked:
    """Read a column and hold it to its checks."""
    if len(values) <= _FEW:
        return one_by_one(column, as_list(values), source)
    if isinstance(values, np.ndarray) and source == "table":
        found = _look_at_array(column, values)
        if found is not None:
            return found
    items = as_list(values)
    if source == "text" and column.kind.word in ("integer", "number"):
        found = _look_at_text(column, items)
    else:
        types = set(map(type, items))
        fast = types <= _FAST_TYPES.get(column.kind.word, set())
        found = _look_at_list(column, items, types, source) if fast else None
    return one_by_one(column, items, source) if found is None else found


def as_list(values: Any) -> Sequence[Any]:
    """Return the values as Python's; times keep theirs, for numpy's list of nanoseconds holds numbers."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        if np.datetime_data(values.dtype)[0] == "ns":
            import pandas as pd

            return pd.Series(values).tolist()
        values = values.astype("datetime64[us]")
    if isinstance(values, (list, tuple)):
        return values
    if hasattr(values, "to_pylist"):  # of Arrow
        return list(values.to_pylist())
    if not hasattr(values, "tolist"):
        return list(values)
    return list(values.tolist())


def one_by_one(column: Column, items: Sequence[Any], source: Source) -> Looked:
    """Ask the column about each value, about text that comes again only once."""
    found, bad = [], []
    known: dict[str, Any] = {}
    for at, value in enumerate(items):
        text = type(value) is str
        if text and value in known:
            taken = known[value]
        else:
            try:
                taken = column.take(value, source)
            except WrongValue:
                taken = WrongValue
            if text:
                known[value] = taken
        if taken is WrongValue:
            bad.append(at)
            taken = None
        found.append(taken)
    return found, bad


def _look_at_array(column: Column, values: Any) -> Looked | None:
    """Look at numbers or booleans in numpy's own form; None where it takes a closer look."""
    word, kind = column.kind.word, values.dtype.kind
    if word == "boolean" and kind == "b":
        return _check_distinct(column, values.tolist(), ())
    if word == "integer" and kind in "iu":
        return _check_numbers(column, values, np.zeros(len(values), dtype=bool))
    if word == "number" and kind in "iuf" and values.dtype.itemsize <= 8:
        return _check_numbers(column, values.astype(np.float64), None)
    return None


def _look_at_text(column: Column, items: Sequence[Any]) -> Looked | None:
    """Read numbers from text; None where one is not plainly a number."""
    try:
        joined = "".join(items)
        if not joined.isascii() or "_" in joined or "n" in joined.lower():
            return None  # 1_000 is a number to Python only; nan and inf are none here
        if column.kind.word == "number":
            values = np.array([float(one) if one else np.nan for one in items], dtype=np.float64)
            return _check_numbers(column, values, None)
        return _check_numbers(column, np.array(list(map(int, items))), np.zeros(len(items), dtype=bool))
    except (TypeError, ValueError, OverflowError):
        return None


def _look_at_list(column: Column, items: Sequence[Any], types: set[type], source: Source) -> Looked | None:
    word = column.kind.word
    try:
        if word == "integer":
            return _check_numbers(column, np.array(items), np.zeros(len(items), dtype=bool))
        if word == "number":
            return _check_numbers(column, np.array(items, dtype=np.float64), None)
    except OverflowError:
        return None
    if word in ("string", "scalar"):
        texts = [one for one in items if one is not None] if type(None) in types else items
        if not is_text("".join(texts)):
            return None
    missing = [at for at, one in enumerate(items) if one is None or (source == "text" and one == "")]
    return _check_distinct(column, items, missing)


def _check_numbers(column: Column, values: Any, missing: Any) -> Looked | None:
    """Check an array of numbers; without `missing`, NaN is what misses."""
    kind = column.kind
    # numpy makes floats of whole numbers that share no type, and these are not exact.
    wanted = "iu" if kind.word == "integer" else "f"
    if values.dtype.kind not in wanted or any(check.many is None for check in column.checks):
        return None
    if kind.precision is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            values = values.astype(kind.precision).astype(np.float64)
    gone = np.isnan(values) if missing is None else missing
    wrong = np.isinf(values) if kind.word == "number" else (values < kind.low) | (values > kind.high)
    with np.errstate(invalid="ignore"):
        for check in column.checks:
            assert check.many is not None
            wrong |= ~check.many(values)
    wrong = np.where(gone, not column.nullable, wrong)
    return values, np.flatnonzero(wrong).tolist()


def _check_distinct(column: Column, items: Sequence[Any], missing: Sequence[int]) -> Looked:
    """Check each value once, however often it is there."""
    wrong = {value for value in set(items) if value is not None and not column.holds(value)}
    bad = [at for at, value in enumerate(items) if value in wrong] if wrong else []
    if not missing:
        return items, bad
    skip = set(missing)
    bad = [at for at in bad if at not in skip]
    found = list(items)
    for at in missing:
        found[at] = None
    return found, bad if column.nullable else sorted([*bad, *missing])
