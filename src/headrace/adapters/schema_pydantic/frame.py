"""Make the table that a model takes, in exactly the types that training had, and fast for one row.

pandas spends more on fifteen columns of one row than a model does: whole blocks are handed to it instead,
and all strings of a request become one Arrow array that the columns are cut from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found]
from pandas.arrays import ArrowStringArray

from headrace.adapters.schema_pydantic.column import Column, Source
from headrace.adapters.schema_pydantic.look import as_list, look_at

_STRING = pa.large_string()


class FrameMaker:
    """Makes tables of these columns, in this order. Plain numpy columns of one type share a block."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)
        self._index = pd.Index([column.name for column in columns], dtype=str)
        self._places = [np.array([at]) for at in range(len(self._columns))]
        self._strings = [
            at
            for at, column in enumerate(self._columns)
            if isinstance(column.kind.dtype, pd.StringDtype) and column.kind.dtype.storage == "pyarrow"
        ]
        blocks: dict[Any, list[int]] = {}
        for at, column in enumerate(self._columns):
            if isinstance(column.kind.dtype, np.dtype):
                blocks.setdefault(column.kind.dtype, []).append(at)
        self._blocks = [(dtype, ats, np.array(ats)) for dtype, ats in blocks.items()]
        taken = {at for ats in blocks.values() for at in ats}.union(self._strings)
        self._others = [at for at in range(len(self._columns)) if at not in taken]

    def make(self, columns: Mapping[str, Any], source: Source) -> pd.DataFrame:
        """Make a table of values that the schema takes, as they came or as it read them.

        Raises:
            ValueError: A value is none that the column takes.
        """
        values = [columns[column.name] for column in self._columns]
        rows = len(values[0]) if values else 0
        blocks: list[tuple[Any, Any]] = []
        for dtype, ats, places in self._blocks:
            block = np.empty((len(ats), rows), dtype=dtype)
            for row, at in enumerate(ats):
                block[row] = self._plain(at, values[at], source)
            blocks.append((block, places))
        blocks += self._texts(values, rows, source)
        for at in self._others:
            blocks.append((self._other(at, values[at], source), self._places[at]))
        made: pd.DataFrame = create_dataframe_from_blocks(blocks, pd.RangeIndex(rows), self._index)
        return made

    def _texts(self, values: list[Any], rows: int, source: Source) -> list[tuple[Any, Any]]:
        if not self._strings:
            return []
        gathered: list[Any] = []
        for at in self._strings:
            gathered += self._text(at, values[at], source)
        try:
            whole = pa.array(gathered, _STRING)
        except (pa.ArrowException, TypeError, ValueError):  # a NaN among them, or numpy's own strings
            gathered = [one for at in self._strings for one in self._read(at, values[at], source)]
            whole = pa.array(gathered, _STRING)
        make: Any = ArrowStringArray  # its type knows no `dtype`, without which it is never `str`
        parts = [pa.chunked_array([whole.slice(turn * rows, rows)]) for turn in range(len(self._strings))]
        return [
            (make(part, dtype=self._columns[at].kind.dtype), self._places[at])
            for part, at in zip(parts, self._strings, strict=True)
        ]

    def _text(self, at: int, values: Any, source: Source) -> Sequence[Any]:
        items = as_list(values)
        return [one or None for one in items] if source == "text" else items

    def _plain(self, at: int, values: Any, source: Source) -> Any:
        """Return numbers, booleans or times as numpy stores them."""
        column = self._columns[at]
        word, dtype = column.kind.word, column.kind.dtype
        if isinstance(values, np.ndarray) and values.dtype.kind in "iufbM":
            return values
        if word in ("time", "date", "scalar"):
            read = self._read(at, values, source)
            return np.array(read, dtype="datetime64[us]") if word == "time" else _objects(read)
        plain = {int, float, type(None)} if word == "number" else {int, bool}
        if source != "text" and plain.issuperset(map(type, values)):
            return np.array(values, dtype=dtype)
        return np.asarray(self._read(at, values, source)).astype(dtype)

    def _other(self, at: int, values: Any, source: Source) -> Any:
        """Return what only pandas has: categories, times with a zone, numbers with a missing value."""
        column = self._columns[at]
        dtype = column.kind.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            return _categories(self._read(at, values, source))
        read = self._read(at, values, source)
        if column.kind.word == "time":
            return _zoned(read, dtype)
        return pd.array(read, dtype=dtype)

    def _read(self, at: int, values: Any, source: Source) -> Any:
        column = self._columns[at]
        found, bad = look_at(column, values, source)
        if bad:
            raise ValueError(f"column {column.name}, row {bad[0]}: no value that its schema takes")
        return found


def _objects(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _categories(values: list[Any]) -> Any:
    """Make a categorical as pandas would: sorted categories, where they can be sorted."""
    if {str, type(None)}.issuperset(map(type, values)):
        names = sorted({value for value in values if value is not None})
        at = {name: code for code, name in enumerate(names)} | {None: -1}
        codes = np.array([at[value] for value in values], dtype=np.intp)
        known = pd.Index(pd.array(names, dtype=_names_dtype()), copy=False)
        return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(known), validate=False)
    return pd.Categorical(values)


def _names_dtype() -> Any:
    return pd.StringDtype(na_value=np.nan)


def _zoned(values: list[Any], dtype: pd.DatetimeTZDtype) -> Any:
    """Make times with a zone of aware ones: numpy holds them in UTC."""

    utc = [None if one is None else one.astimezone(UTC).replace(tzinfo=None) for one in values]
    plain = np.array(utc, dtype="datetime64[us]").astype(f"datetime64[{dtype.unit}]")
    return pd.DatetimeIndex(plain).tz_localize("UTC").tz_convert(dtype.tz).array
