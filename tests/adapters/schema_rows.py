"""Schemas, rows of JSON at and beside their bounds, and what such a row is to Pandera."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from headrace.core.model_signature import InputColumn, ModelSignature

# float16 is left out: pandas overflows when it shows one, as Pandera makes it do.
WHOLE = ["int8", "int16", "int32", "int64", "uint8", "uint64", "Int64", "Int8", "UInt16"]
FLOATS = ["float64", "float32", "Float64"]
TEXTS = ["str", "string", "category", "object"]
TIMES = ["datetime64[ns]", "datetime64[ms]", "datetime64[ms, UTC]", "datetime64[ns, Europe/Berlin]"]
DTYPES = [*WHOLE, *FLOATS, *TEXTS, *TIMES, "bool", "boolean", "date"]

PATTERNS = ["a", "^a", "a$", "[ab]+$", "a|b", r"\d", "b.", r"\w$", "(?=a)", "[^$]$", r"a\$?"]
WRONG: list[Any] = ["3", "", "true", True, False, 1, 3.0, 3.5, [], {}, [1], {"a": 1}, "2020-01-01T00:00:00Z"]
WORDS = st.text(alphabet="ab1é$", max_size=4)
SCALARS = {"equal_to", "not_equal_to", "greater_than", "less_than", "greater_than_or_equal_to"} | {
    "less_than_or_equal_to"
}


@st.composite
def columns(draw: st.DrawFn, name: str) -> InputColumn:
    """Draw a column of any type with up to two of the checks that Pandera can apply to it."""
    dtype = draw(st.sampled_from(DTYPES))
    checks: dict[str, Any] = {}
    many = draw(st.sampled_from([0, 1, 1, 1, 2]))
    for check in draw(
        st.lists(st.sampled_from(_checks_of(dtype)), min_size=many, max_size=many, unique=True)
    ):
        checks[check] = draw(_notation(check, draw(_arguments(dtype, check))))
    return InputColumn(name=name, dtype=dtype, nullable=draw(st.booleans()), checks=checks)


@st.composite
def signatures(draw: st.DrawFn) -> ModelSignature:
    names = draw(st.lists(st.sampled_from(["a", "b b", "c.c", "é"]), min_size=1, max_size=2, unique=True))
    return ModelSignature(inputs=tuple(draw(columns(name)) for name in names), ignored=("target",))


def _checks_of(dtype: str) -> list[str]:
    if dtype in TEXTS:
        texts = [
            "isin",
            "notin",
            "str_matches",
            "str_contains",
            "str_startswith",
            "str_endswith",
            "str_length",
        ]
        # Categories and mixed objects have no order.
        return texts if dtype in ("category", "object") else [*texts, *sorted(SCALARS), "in_range"]
    if dtype in ("bool", "boolean"):
        return ["equal_to", "not_equal_to", "isin", "notin"]
    if dtype == "date" or "," in dtype:
        return ["not_equal_to", "isin"] if dtype == "date" else ["greater_than", "less_than_or_equal_to"]
    if dtype in TIMES:
        return [*sorted(SCALARS), "in_range"]
    return [*sorted(SCALARS), "in_range", "isin", "notin"]


def _values(dtype: str) -> st.SearchStrategy[Any]:
    if dtype in TEXTS:
        return WORDS
    if dtype in ("bool", "boolean"):
        return st.booleans()
    if dtype == "date":
        return st.just(date(2020, 1, 1))
    if dtype in TIMES:
        zone = "+00:00" if "," in dtype else ""
        return st.sampled_from([f"{text}{zone}" for text in ("2020-01-01 00:00:00", "2020-06-01 12:30:00")])
    if dtype in FLOATS:
        return st.sampled_from([-1.5, -1, 0, 0.1, 0.5, 1, 2.5, 7])
    return st.integers(-3, 12)


@st.composite
def _arguments(draw: st.DrawFn, dtype: str, check: str) -> dict[str, Any]:
    values = _values(dtype)
    if check in ("isin", "notin"):
        name = "allowed_values" if check == "isin" else "forbidden_values"
        return {name: draw(st.lists(values, min_size=1, max_size=4, unique=True))}
    if check == "in_range":
        low, high = sorted([draw(values), draw(values)])
        ends = {end: draw(st.booleans()) for end in ("include_min", "include_max") if draw(st.booleans())}
        return {"min_value": low, "max_value": high, **(ends if low < high else {})}
    if check == "str_length":
        low, high = sorted([draw(st.integers(0, 3)), draw(st.integers(0, 3))])
        options = [{"min_value": low, "max_value": high}, {"min_value": low}, {"max_value": high}]
        return draw(st.sampled_from([*options, {"exact_value": low}]))
    if check in ("str_matches", "str_contains"):
        return {"pattern": draw(st.sampled_from(PATTERNS))}
    if check in ("str_startswith", "str_endswith"):
        return {"string": draw(WORDS)}
    name = {"g": "min_value", "l": "max_value"}.get(check[0], "value")
    return {name: draw(values)}


@st.composite
def _notation(draw: st.DrawFn, check: str, args: dict[str, Any]) -> Any:
    """Write a check in one of the ways of Pandera's format."""
    ways: list[Any] = [args]
    if len(args) == 1 and check != "str_length":
        (only,) = args.values()
        ways += [only, {"value": only}]
    way = draw(st.sampled_from(ways))
    if isinstance(way, dict) and draw(st.booleans()):
        return {**way, "options": {"ignore_na": draw(st.booleans())}}
    return way


def near(column: InputColumn) -> st.SearchStrategy[Any]:
    """Draw values of JSON for a column: right ones, those at its bounds and beside, and wrong ones."""
    dtype, said = column.dtype, _said(column.checks)
    right: list[Any]
    if dtype in TEXTS:
        right = [value for value in said if isinstance(value, str) and value not in PATTERNS]
        right += [f"a{value}" for value in right] + [f"{value}b" for value in right]
        likely = st.sampled_from([*right, "a", "b1", "aé", "a$", ""])
    elif dtype in ("bool", "boolean"):
        likely = st.booleans()
    elif dtype == "date":
        likely = st.sampled_from(
            ["2020-01-01", "2020-02-29", "2021-02-29", "2020-1-1", "2020-01-01T00:00:00"]
        )
    elif dtype.startswith("datetime"):
        times = ["2020-01-01T00:00:00", "2020-01-01 00:00:00.000001", "2020-06-01T12:30:00"] * 2
        times += ["1600-01-01T00:00:00"]
        ends = ["", "", "", "Z"] if "," not in dtype else ["Z", "z", "+00:00", "-05:30", ""]
        likely = st.builds(
            str.__add__, st.sampled_from([*times, "2021-02-29T00:00:00"]), st.sampled_from(ends)
        )
    else:
        numbers = [value for value in said if isinstance(value, (int, float))] or [1]
        beside = [value + step for value in numbers for step in (-1, -0.5, 0, 0.5, 1)]
        edges = _edges(dtype) if dtype not in FLOATS else [1e39, 70000.0, 10**20, 0.1]
        middle = (min(numbers) + max(numbers)) // 2
        likely = st.sampled_from([*beside, *map(int, beside), *[middle] * len(numbers) * 3, *edges])
    return st.one_of(*[likely] * 8, st.none(), st.sampled_from(WRONG))


def _said(checks: Any) -> list[Any]:
    """Return every value that the checks name."""
    found: list[Any] = []
    for value in checks.values():
        args = [one for key, one in value.items() if key != "options"] if isinstance(value, dict) else [value]
        for one in args:
            found += one if isinstance(one, list) else [one]
    return [one for one in found if not isinstance(one, bool)]


def _edges(dtype: str) -> list[int]:
    info = np.iinfo(dtype.lower())
    return [int(info.min) - 1, int(info.min), int(info.max), int(info.max) + 1]


@st.composite
def rows(draw: st.DrawFn, signature: ModelSignature) -> dict[str, Any]:
    """Draw a row, seldom with a column too few or too many."""
    row = {column.name: draw(near(column)) for column in signature.inputs}
    if draw(st.integers(0, 14)) == 0:
        row["more"] = 1
    if draw(st.integers(0, 14)) == 0:
        row.pop(signature.inputs[0].name)
    return row


def table_of(row: dict[str, Any], signature: ModelSignature) -> pd.DataFrame:
    """Make the table that a row of JSON is to Pandera.

    JSON has fewer types than pandas. A value that the column's type can hold becomes one of it: 3 a float,
    3.0 a whole number (JSON schema calls it an integer), text a time or a day, null a missing value. What
    it cannot hold stays what it is, so that Pandera finds a column of another type.
    """
    dtypes = {column.name: column.dtype for column in signature.inputs}
    return pd.DataFrame({name: _series(value, dtypes.get(name)) for name, value in row.items()})


def _series(value: Any, dtype: str | None) -> pd.Series[Any]:
    kept = pd.Series([value], dtype=object)
    if dtype is None:
        return kept
    if value is None:
        if dtype == "category":  # of strings, as in any table that has some
            return pd.Series(pd.Categorical([None], categories=["a"]))
        plain = dtype[:1].islower() and dtype.startswith(("int", "uint", "bool")) and dtype != "boolean"
        return kept if plain else pd.Series([None], dtype=object if dtype in ("date", "object") else dtype)
    number = type(value) in (int, float)
    if dtype in WHOLE:
        info = np.iinfo(dtype.lower())
        fits = number and value == int(value) and info.min <= value <= info.max
        return pd.Series([int(value)], dtype=dtype) if fits else kept
    if dtype in FLOATS:
        largest = float(np.finfo(dtype.lower()).max)
        return pd.Series([float(value)], dtype=dtype) if number and abs(value) <= largest else kept
    if dtype in ("bool", "boolean"):
        return pd.Series([value], dtype=dtype) if type(value) is bool else kept
    if dtype in ("str", "string"):
        return pd.Series([value], dtype=dtype) if isinstance(value, str) else kept.map(_Other)
    if dtype in ("category", "object"):
        return pd.Series([value], dtype=dtype) if isinstance(value, (str, bool, int, float)) else _no_type()
    return _moment(value, dtype, kept)


class _Other:
    """What is no string, where Pandera takes any column of objects for strings."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _no_type() -> pd.Series[Any]:
    """Return a column of a type that no schema here asks for."""
    return pd.Series([1j])


def _moment(value: Any, dtype: str, kept: pd.Series[Any]) -> pd.Series[Any]:
    try:
        if dtype == "date":
            return pd.Series([date.fromisoformat(value)], dtype=object)
        time = datetime.fromisoformat(value.upper())  # RFC 3339 has `t` and `z` too, Python has not
    except (AttributeError, TypeError, ValueError):
        return _no_type()
    if (time.tzinfo is not None) is not ("," in dtype) or len(value) <= 10:
        return _no_type()
    try:
        return pd.Series([pd.Timestamp(time)]).astype(dtype)
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        return _no_type()
