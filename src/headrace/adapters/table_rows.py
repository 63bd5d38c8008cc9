"""Comparing two stored tables: rows by content, columns by name and type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BATCH_ROWS = 1 << 16
_INDEX = "__index_level_"  # how pyarrow names the column of a nameless pandas index
_NULL = 0x51ED270B7A14F9C3
_FACTOR = 0x9E3779B97F4A7C15


def compare_tables(left: Path, right: Path) -> dict[str, Any]:
    """Say in what two Parquet files differ: `rows`, `added`, `removed`, `changed`, `moved`, `columns`.

    Rows are known by their content in the columns that both tables have in one type; a row that only one
    table has is added or removed, and where one of each stands between the same rows it is one changed row.
    `moved` tells that all rows are there, in another order.

    One row group is in memory at a time, and about 150 bytes for every row of both tables, however wide:
    rows are compared by hashes of 64 bits, which may take a row for another about once in 10^7 comparisons
    of tables of a million rows.

    Raises `StageError` for a file that is no Parquet.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        files = [pyarrow.parquet.ParquetFile(path) for path in (left, right)]
        kinds = [_columns(file.schema_arrow) for file in files]
        shared = [name for name, kind in kinds[0].items() if kinds[1].get(name) == kind]
        hashes = [_hash_rows(file, shared) for file in files]
    except pyarrow.ArrowException as error:
        raise StageError(f"{left.name} cannot be compared: {error}") from error
    return {
        "rows": [len(found) for found in hashes],
        **_count(*hashes),
        "columns": _differing(*kinds),
    }


def _columns(schema: pa.Schema) -> dict[str, str]:
    """Return the type of each column; that of its values where text repeats."""
    found = {}
    for field in schema:
        kind = field.type
        if not field.name.startswith(_INDEX):
            found[field.name] = f"category of {kind.value_type}" if hasattr(kind, "value_type") else str(kind)
    return found


def _differing(left: dict[str, str], right: dict[str, str]) -> dict[str, str]:
    found = {}
    for name in [*left, *(name for name in right if name not in left)]:
        if name not in right:
            found[name] = "removed"
        elif name not in left:
            found[name] = "added"
        elif left[name] != right[name]:
            found[name] = f"{left[name]} → {right[name]}"
    return found


def _hash_rows(file: Any, names: list[str]) -> np.ndarray[Any, Any]:
    import numpy as np

    rows = np.zeros(file.metadata.num_rows, dtype=np.uint64)
    position = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names) if names else ():
        part = rows[position : position + batch.num_rows]
        for column in batch.columns:
            part ^= _hash_values(column)
            part *= np.uint64(_FACTOR)
            part ^= part >> np.uint64(29)
        position += batch.num_rows
    return rows


def _hash_values(column: Any) -> Any:
    """Hash the values of a column by what they are, whichever other values stand beside them."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False) + 0.0  # -0.0 is 0.0
        values[np.isnan(values)] = np.nan
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = column.fill_null(0 if pa.types.is_integer(kind) else False).to_numpy(zero_copy_only=False)
    else:
        said = column.to_pylist()
        text = (value if isinstance(value, str) else "" if value is None else repr(value) for value in said)
        values = np.array(list(text), dtype=object)
    found = pd.util.hash_array(values, categorize=False).copy()
    if column.null_count:
        found[~column.is_valid().to_numpy(zero_copy_only=False)] = _NULL
    return found


def _count(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> dict[str, Any]:
    import numpy as np

    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    sides = (codes[: len(left)], codes[len(left) :])
    kinds = int(codes.max()) + 1 if len(codes) else 0
    counts = [np.bincount(side, minlength=kinds) for side in sides]
    both = np.minimum(*counts)
    kept = [_occurrence(side, count) < both[side] for side, count in zip(sides, counts, strict=True)]
    # Rows without a partner, by how many rows with one stand before them.
    gaps = [np.bincount(np.cumsum(k)[~k], minlength=int(both.sum()) + 1) for k in kept]
    changed = int(np.minimum(*gaps).sum())
    removed, added = (int((~k).sum()) - changed for k in kept)
    moved = not (added or removed or changed) and not np.array_equal(left, right)
    return {"added": added, "removed": removed, "changed": changed, "moved": moved}


def _occurrence(codes: Any, counts: Any) -> Any:
    """Return for each row how many rows with its code stand before it."""
    import numpy as np

    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, dtype=int)
    found = np.empty(len(codes), dtype=np.int64)
    found[order] = np.arange(len(codes)) - starts[codes[order]]
    return found
