"""Tables as W&B shows them: the file that its `Table` writes, without the second that its import takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.adapters.tracker_wandb.refusal import refuse_columns

ROWS_AT_MOST = 100

_KINDS = {bool: "boolean", int: "number", float: "number", str: "string"}


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Write the first rows; return the columns that are refused, for their names say secret."""
    table, refused = refuse_columns(columns, rows[:ROWS_AT_MOST])
    types = {name: _type([row[i] for row in table["rows"]]) for i, name in enumerate(table["columns"])}
    document = {
        "_type": "table",
        "column_types": {"params": {"type_map": types}, "wb_type": "typedDict"},
        "columns": table["columns"],
        "data": table["rows"],
        "ncols": len(table["columns"]),
        "nrows": len(table["rows"]),
        "log_mode": "IMMUTABLE",
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return refused


def read_parquet(path: Path) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and the first rows of a Parquet file."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    first = next(file.iter_batches(batch_size=ROWS_AT_MOST), None)
    columns = [field.name for field in file.schema_arrow]
    if first is None:
        return columns, []
    return columns, [list(row) for row in zip(*(column.to_pylist() for column in first.columns), strict=True)]


def _type(cells: Sequence[Any]) -> dict[str, Any]:
    kinds = {_KINDS[type(cell)] for cell in cells if cell is not None}
    kind = kinds.pop() if len(kinds) == 1 else "any"
    if kind == "any":
        return {"wb_type": "any"}
    return {"wb_type": "union", "params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": kind}]}}
