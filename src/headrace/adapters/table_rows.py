"""Comparing two stored tables: rows by content, columns by name and type."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def compare_tables(left: Path, right: Path) -> dict[str, Any]:
    """Read two Parquet files and say what differs: `rows` of each, `added`, `removed`, `changed`, `columns`.

    Tables of equal length are compared row by row, and rows that differ are changed. Of others, rows are
    known by their content in the columns that both have: what only one has is added or removed.
    """
    import pandas as pd

    tables = [pd.read_parquet(path) for path in (left, right)]
    shared = [name for name in tables[0].columns if name in tables[1].columns]
    hashes = [_hashes(table[shared]) for table in tables]
    if len(hashes[0]) == len(hashes[1]):
        changed = sum(before != now for before, now in zip(*hashes, strict=True))
        added = removed = 0
    else:
        counts = [Counter(found) for found in hashes]
        added, removed = (counts[1] - counts[0]).total(), (counts[0] - counts[1]).total()
        changed = 0
    return {
        "rows": [len(table) for table in tables],
        "added": added,
        "removed": removed,
        "changed": changed,
        "columns": _columns(*tables),
    }


def _hashes(table: pd.DataFrame) -> list[int]:
    import pandas as pd

    # Categories hash by their text, so that the order in which they are listed does not count.
    plain = table.astype(dict.fromkeys(table.select_dtypes("category").columns, "str"))
    found: list[int] = pd.util.hash_pandas_object(plain, index=False).tolist()
    return found


def _columns(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in [*left.columns, *(name for name in right.columns if name not in left.columns)]:
        if name not in right.columns:
            found[str(name)] = "removed"
        elif name not in left.columns:
            found[str(name)] = "added"
        elif str(left[name].dtype) != str(right[name].dtype):
            found[str(name)] = f"{left[name].dtype} → {right[name].dtype}"
    return found
