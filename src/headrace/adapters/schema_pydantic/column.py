"""One column of a model's rows: read a value, whatever it came in, and hold it to its checks."""

from __future__ import annotations

import re
from datetime import date, datetime
from math import isfinite
from typing import Any, Literal

from headrace.adapters.schema_pydantic.checks import read_checks
from headrace.adapters.schema_pydantic.kinds import find_kind
from headrace.adapters.schema_pydantic.times import read_day, read_time
from headrace.adapters.schema_pydantic.words import NO_MISSING, say_wanted, show
from headrace.core.model_signature import InputColumn
from headrace.errors import RowProblem

Source = Literal["json", "table", "text"]
"""Where a value comes from: JSON; a table of Python's or numpy's values, where NaN is missing; CSV text."""

_WHOLE = re.compile(r"\s*[+-]?\d+(\.0*)?\s*\Z", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)
_TRUTH = {"true": True, "false": False, "1": True, "0": False}
_MICROSECONDS = {"s": 1_000_000, "ms": 1000}  # what a column's unit cuts a time to
SCALAR_BOUND = 2**63


class WrongValue(ValueError):
    """The value is none that the column takes."""


class Column:
    """The definition of what a column takes. All faster ways accept a part of it, or ask it.

    A number of JSON has no type of its own: 3.0 is a whole number, as in JSON schema, and 3 a float.
    Infinity is refused everywhere, for JSON cannot say it.
    """

    def __init__(self, spec: InputColumn) -> None:
        self.name = spec.name
        self.private = spec.private is not None
        self.description = spec.description
        self.kind = find_kind(spec.name, spec.dtype)
        self.checks = read_checks(self.kind, spec.checks)
        self.nullable = (
            spec.nullable
            and self.kind.holds_missing
            and all(check.missing_holds(self.kind) for check in self.checks)
        )
        self.wanted = say_wanted(self.kind, self.checks)
        self._read = getattr(self, f"_read_{self.kind.word}")

    def take(self, value: Any, source: Source) -> Any:
        """Return the value as the model gets it; None is missing. Raises `WrongValue`."""
        found = self.read(value, source)
        if found is not None and not self.holds(found):
            raise WrongValue
        return found

    def read(self, value: Any, source: Source) -> Any:
        """Do so without the checks."""
        if source == "table" and hasattr(value, "dtype") and hasattr(value, "item"):
            value = value.item()  # of numpy
        if value is None or (source != "json" and is_missing(value, source)):
            if not self.nullable:
                raise WrongValue
            return None
        return self._read(value, source)

    def holds(self, value: Any) -> bool:
        """Tell whether a value that is there meets every check."""
        return all(check.holds(value) for check in self.checks)

    def explain(self, row: int, value: Any, source: Source) -> RowProblem:
        """Say what is wrong with a value that `take` refuses."""
        missing = value is None or (source != "json" and is_missing(value, source))
        found = "no value" if missing else "NaN" if value != value else show(value, self.private)
        return RowProblem(
            row=row, column=self.name, found=found, wanted=NO_MISSING if missing else self.wanted
        )

    def _read_integer(self, value: Any, source: Source) -> int:
        if source == "text" and isinstance(value, str) and _WHOLE.match(value):
            value = int(value.partition(".")[0])
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not self.kind.low <= value <= self.kind.high:
            raise WrongValue
        return value

    def _read_number(self, value: Any, source: Source) -> float:
        if source == "text" and isinstance(value, str) and _NUMBER.match(value):
            value = float(value)
        if type(value) is not float and type(value) is not int:
            raise WrongValue
        try:
            found = float(value)
        except OverflowError:
            raise WrongValue from None
        if self.kind.precision is not None:
            found = round_to(self.kind.precision, found)
        if not isfinite(found):
            raise WrongValue
        return found

    def _read_boolean(self, value: Any, source: Source) -> bool:
        if source == "text" and isinstance(value, str):
            value = _TRUTH.get(value.strip().lower())
        if type(value) is not bool:
            raise WrongValue
        return value

    def _read_string(self, value: Any, source: Source) -> str:
        if not isinstance(value, str) or not is_text(value):
            raise WrongValue
        return value

    def _read_scalar(self, value: Any, source: Source) -> Any:
        if isinstance(value, str):
            return self._read_string(value, source)
        if type(value) is bool:
            return value
        if type(value) not in (int, float) or not -SCALAR_BOUND <= value < SCALAR_BOUND:
            raise WrongValue
        return value

    def _read_time(self, value: Any, source: Source) -> datetime:
        zone = self.kind.zone
        if isinstance(value, str):
            found = read_time(value, zone)
            if found is None and source == "text" and zone is None:
                day = read_day(value)
                found = None if day is None else datetime(day.year, day.month, day.day)  # noqa: DTZ001
        elif source == "table" and isinstance(value, datetime) and (value.tzinfo is None) == (zone is None):
            found = value if zone is None else value.astimezone(zone)
        else:
            found = None
        if found is None or not self.kind.low <= found.year <= self.kind.high:
            raise WrongValue
        step = _MICROSECONDS.get(self.kind.unit, 1)
        return found if step == 1 else found.replace(microsecond=found.microsecond // step * step)

    def _read_date(self, value: Any, source: Source) -> date:
        if source == "table" and isinstance(value, date) and not isinstance(value, datetime):
            return value
        found = read_day(value) if isinstance(value, str) else None
        if found is None:
            raise WrongValue
        return found


def is_missing(value: Any, source: Source) -> bool:
    """Tell a missing value of a table (NaN, NaT, NA) or of text (nothing at all)."""
    if source == "text":
        return bool(value == "")
    return bool(type(value) is float and value != value) or type(value).__name__ in ("NaTType", "NAType")


def is_text(value: str) -> bool:
    """Tell whether a string can be stored: half of a surrogate pair cannot."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def round_to(precision: Any, value: float) -> float:
    """Return the nearest number that the column can hold, infinity where there is none."""
    import numpy as np

    with np.errstate(over="ignore"):
        return float(precision(value))
