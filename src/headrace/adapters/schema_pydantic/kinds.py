"""What a pandas dtype means for one value: what JSON may say for it, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Literal

from headrace.errors import ConfigError

Word = Literal["integer", "number", "boolean", "string", "scalar", "time", "date"]

# Pandera's own names that pandas does not know.
_PANDERA_NAMES = {"datetime": "datetime64[ns]", "datetime64": "datetime64[ns]", "date": "object"}
# Nanoseconds in 64 bits: whole years that fit.
_NS_YEARS = (1678, 2261)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The type of a column. `low` and `high` are bounds of whole numbers or of years, both included."""

    word: Word
    dtype: Any  # numpy's or pandas'
    holds_missing: bool
    masked: bool = False  # a missing value is pandas' NA, which no comparison makes false
    low: int = 0
    high: int = 0
    precision: Any = None  # numpy's float type, where it is less than Python's
    largest: float = 0.0  # float that it holds
    zone: tzinfo | None = None
    unit: str = ""

    @property
    def name(self) -> str:
        """What a reader calls such a value."""
        if self.word == "time":
            zoned = "with a zone" if self.zone else "without a zone"
            return f"a time {zoned} such as {'2024-05-31T12:30:00Z' if self.zone else '2024-05-31T12:30:00'}"
        return {
            "integer": "a whole number",
            "number": "a number",
            "boolean": "true or false",
            "string": "a string",
            "scalar": "a string, a number, true or false",
            "date": "a date such as 2024-05-31",
        }[self.word]


def find_kind(column: str, dtype: str) -> Kind:
    """Say what a column's values are.

    Raises:
        ConfigError: No value of that dtype can be said in JSON: bytes, complex numbers, intervals.
    """
    import numpy as np
    import pandas as pd

    try:
        found = pd.api.types.pandas_dtype(_PANDERA_NAMES.get(dtype, dtype))
    except TypeError:
        found = None
    if dtype == "date":
        return Kind(word="date", dtype=found, holds_missing=True)
    if isinstance(found, pd.CategoricalDtype) or found == np.dtype(object):
        return Kind(word="scalar", dtype=found, holds_missing=True)
    if isinstance(found, pd.StringDtype):
        return Kind(word="string", dtype=found, holds_missing=True, masked=found.na_value is pd.NA)
    if isinstance(found, pd.DatetimeTZDtype):
        return _time(found, found.unit, found.tz)
    if isinstance(found, np.dtype) and found.kind == "M":
        return _time(found, str(np.datetime_data(str(found))[0]), None)
    number = None if found is None else _number(found)
    if number is None:
        raise ConfigError.one(
            f"signature.{column}.dtype",
            f"no request can hold values of type {dtype}",
            "convert the column to numbers, strings, booleans or times before training",
        )
    return number


def _time(dtype: Any, unit: str, zone: tzinfo | None) -> Kind:
    low, high = _NS_YEARS if unit == "ns" else (1, 9999)
    # A fixed offset of zero is the same zone, and Python converts to it fastest.
    zone = UTC if zone is not None and str(zone) == "UTC" else zone
    return Kind(word="time", dtype=dtype, holds_missing=True, low=low, high=high, zone=zone, unit=unit)


def _number(dtype: Any) -> Kind | None:
    """Read numpy's numbers and booleans, and pandas' that know a missing value."""
    import numpy as np

    plain = isinstance(dtype, np.dtype)
    inner = dtype if plain else getattr(dtype, "numpy_dtype", None)
    if inner is None or (not plain and str(dtype).endswith("[pyarrow]")):
        return None
    if inner.kind in "iu":
        info = np.iinfo(inner)
        return Kind(
            word="integer",
            dtype=dtype,
            holds_missing=not plain,
            masked=not plain,
            low=int(info.min),
            high=int(info.max),
        )
    if inner.kind == "f" and inner.itemsize <= 8:
        precise = None if inner.itemsize == 8 else inner.type
        largest = float(np.finfo(inner.name).max)
        return Kind(
            word="number",
            dtype=dtype,
            holds_missing=True,
            masked=not plain,
            precision=precise,
            largest=largest,
        )
    if inner.kind == "b":
        return Kind(word="boolean", dtype=dtype, holds_missing=not plain, masked=not plain)
    return None
