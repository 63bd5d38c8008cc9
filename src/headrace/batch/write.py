"""Parts become one file: Parquet in row groups of one size, or CSV."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 65_536  # whatever the partitions were: so the same rows are the same file


def write_part(table: pa.Table, file: Path) -> None:
    """Write a table, whole or not at all."""
    beside = file.with_name(f".{file.name}.tmp")
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    beside.replace(file)


def write_file(parts: Iterable[Path], schema: pa.Schema, file: Path, suffix: str) -> None:
    """Write the rows of all parts, in order. One part after the other is in memory."""
    tables = (_read_part(part) for part in parts)
    if suffix == ".parquet":
        _write_parquet(tables, schema, file)
    else:
        with _open_text(file, suffix) as target:
            _write_csv(tables, schema, target)


def _read_part(part: Path) -> pa.Table:
    with pa.OSFile(str(part), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def _write_parquet(tables: Iterable[pa.Table], schema: pa.Schema, file: Path) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting = schema.empty_table()
        for table in tables:
            waiting = pa.concat_tables([waiting, table])
            while len(waiting) >= _GROUP_ROWS:
                writer.write_table(waiting.slice(0, _GROUP_ROWS).combine_chunks())
                waiting = waiting.slice(_GROUP_ROWS)
        if len(waiting):
            writer.write_table(waiting.combine_chunks())


def _write_csv(tables: Iterable[pa.Table], schema: pa.Schema, target: TextIO) -> None:
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(schema.names)
    for table in tables:
        for batch in table.to_batches(max_chunksize=10_000):
            writer.writerows(zip(*(_texts(column) for column in batch.columns), strict=True))


def _texts(column: pa.Array) -> list[Any]:
    """Return values as CSV has them: times in ISO 8601, nothing for a missing one."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return [None if value is None else str(value).lower() for value in column.to_pylist()]
    if pa.types.is_temporal(kind):
        times = column.to_pylist()
        return [value.isoformat() if hasattr(value, "isoformat") else value for value in times]
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(kind):
        return [None if value != value else value for value in values]
    return values


@contextmanager
def _open_text(file: Path, suffix: str) -> Iterator[TextIO]:
    if not suffix.endswith(".gz"):
        with file.open("w", encoding="utf-8", newline="") as target:
            yield target
        return
    # Without name and time: the same rows are the same file.
    with (
        file.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as target,
    ):
        yield target
