"""How far apart the numbers of two stored artifacts are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LONGEST_VALUE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The pair of numbers that is the farthest apart.

    `scaled` is |a - b| / (1 + |a|), so that one tolerance serves small numbers and large ones; it is
    infinite where two values are no numbers and differ, or where shapes or types do. `absolute` is
    |a - b| of that pair.
    """

    scaled: float = 0.0
    absolute: float = 0.0
    where: str = ""

    @property
    def is_measured(self) -> bool:
        return math.isfinite(self.scaled)


def endless(where: str) -> Distance:
    """Say that two things are no numbers, and differ."""
    return Distance(scaled=math.inf, absolute=math.inf, where=where)


def farthest(distances: Iterable[Distance]) -> Distance:
    return max(distances, key=lambda distance: distance.scaled, default=Distance())


def between_json(before: Path, now: Path) -> Distance:
    """Compare two JSON documents value by value."""
    return between_values(json.loads(before.read_bytes()), json.loads(now.read_bytes()))


def between_values(before: Any, now: Any) -> Distance:
    """Compare two values as JSON has them."""
    return farthest(_leaves("", before, now))


def _leaves(path: str, before: Any, now: Any) -> Iterator[Distance]:
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        for key in before:
            yield from _leaves(f"{path}.{key}" if path else key, before[key], now[key])
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True)):
            yield from _leaves(f"{path}[{number}]", *pair)
    elif _is_number(before) and _is_number(now):
        yield _between_numbers(before, now, path)
    elif before != now or type(before) is not type(now):
        yield endless(f"{path or 'value'} {_short(before)} → {_short(now)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between_numbers(before: float, now: float, where: str) -> Distance:
    if before == now or (before != before and now != now):
        return Distance()
    try:
        absolute = float(abs(before - now))
        scaled = absolute / (1 + abs(before))
    except OverflowError:  # integers beyond every float
        return endless(where)
    # One infinite or missing value makes the rest of the arithmetic meaningless.
    if not (math.isfinite(before) and math.isfinite(now)):
        return endless(f"{where} {before} → {now}")
    return Distance(scaled=scaled, absolute=absolute, where=where)


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def between_tables(before: Path, now: Path) -> Distance:
    """Compare two Parquet files, one column in memory at a time."""
    import pyarrow.parquet

    files = [pyarrow.parquet.ParquetFile(path) for path in (before, now)]
    shapes = [(file.metadata.num_rows, file.schema_arrow.names) for file in files]
    if shapes[0] != shapes[1]:
        told = [f"{rows} rows and {len(names)} columns" for rows, names in shapes]
        return endless(" → ".join(told) if told[0] != told[1] else "other names of columns")
    return farthest(_between_columns(files, name) for name in shapes[0][1])


def _between_columns(files: Sequence[Any], name: str) -> Distance:
    import pyarrow

    before, now = (file.read(columns=[name]).column(0) for file in files)
    where = f"column {name}"
    if before.type != now.type:
        return endless(f"{where} {before.type} → {now.type}")
    kinds = pyarrow.types
    if kinds.is_floating(before.type) or kinds.is_integer(before.type):
        if not before.is_null().equals(now.is_null()):
            return endless(f"{where}, other values missing")
        left, right = (
            column.drop_null().combine_chunks().to_numpy(zero_copy_only=False) for column in (before, now)
        )
        found = between_arrays(left, right, "")
        row = (
            f", row {found.where[1:-1]}"
            if found.is_measured and found.where and not before.null_count
            else ""
        )
        return replace(found, where=f"{where}{row}") if found.scaled else found
    return Distance() if before.equals(now) else endless(where)


def between_files_of_arrays(before: Path, now: Path) -> Distance:
    """Compare two npy files."""
    import numpy as np

    return between_arrays(np.load(before, allow_pickle=False), np.load(now, allow_pickle=False), "")


def between_arrays(before: Any, now: Any, where: str) -> Distance:
    """Compare two NumPy arrays; the place of the farthest pair is told by index."""
    import numpy as np

    if before.shape != now.shape or before.dtype != now.dtype:
        return endless(f"{where} {before.dtype}{before.shape} → {now.dtype}{now.shape}".lstrip())
    if before.dtype.names:
        fields = before.dtype.names
        return farthest(between_arrays(before[f], now[f], f"{where}.{f}".lstrip(".")) for f in fields)
    if not np.issubdtype(before.dtype, np.number):
        return Distance() if np.array_equal(before, now) else endless(where or "values")
    with np.errstate(all="ignore"):
        differ = before != now
        differ &= (before == before) | (now == now)  # two NaN are the same
        if not differ.any():
            return Distance()
        left, right = before[differ], now[differ]
        if not (np.isfinite(left).all() and np.isfinite(right).all()):
            return endless(f"{where}, infinite or missing values".lstrip(", "))
        wide = complex if np.issubdtype(before.dtype, np.complexfloating) else float
        absolute = np.abs(left.astype(wide) - right.astype(wide))
        if np.issubdtype(before.dtype, np.integer):
            absolute = np.maximum(absolute, 1.0)  # beyond 2^53 floats take neighbours for one
        scaled = absolute / (1 + np.abs(left.astype(wide)))
    at = int(scaled.argmax())
    place = f"[{', '.join(str(int(axis[at])) for axis in np.nonzero(differ))}]" if before.ndim else ""
    return Distance(scaled=float(scaled[at]), absolute=float(absolute[at]), where=f"{where}{place}")


Measure = Callable[[Path, Path], Distance]

BY_CODEC: Mapping[str, Measure] = {
    "json": between_json,
    "parquet": between_tables,
    "npy": between_files_of_arrays,
}
