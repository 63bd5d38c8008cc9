"""Tables of files, partition by partition: Parquet with its types, CSV as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from headrace.errors import RowProblem, StageError, did_you_mean

_BLOCK_BYTES = 4 << 20  # of CSV; no row may be longer
_SHOWN = 120  # characters of a line that is no row


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Consecutive rows of one file. `rows` are their numbers in it, from 0, by position in the table.

    `refused` are positions of rows that are no text; `broken` are rows of the file that the table lacks.
    """

    file: int
    table: pa.Table
    rows: Sequence[int]
    refused: Mapping[int, RowProblem] = field(default_factory=dict)
    broken: Sequence[RowProblem] = ()


class TableReader:
    """Reads files that have the same columns.

    Args:
        files: Local files, in order.
        names: What messages call them.
        is_csv: Whether they are CSV, the first line of each being the names; also compressed by gzip.

    Raises:
        StageError: A file cannot be read, or has other columns than the first one.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str], is_csv: bool) -> None:
        self.names, self.is_csv = names, is_csv
        self._files = files
        schemas = [self._read_schema(number) for number in range(len(files))]
        self.schema: pa.Schema = schemas[0]
        columns = self.schema.names
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise StageError(f"{names[0]} has two columns '{twice[0]}'; name them apart")
        for name, schema in zip(names, schemas, strict=True):
            if not schema.equals(self.schema):
                raise StageError(
                    f"{name} has other columns than {names[0]}: {_difference(schema, self.schema)}"
                )

    def partitions(self, rows: int, skip: int = 0) -> Iterator[Partition]:
        """Yield partitions of at most `rows` rows, in order, without the first `skip` of them.

        Those of Parquet are not read either.
        """
        for number in range(len(self._files)):
            with self._naming(number):
                count = 0
                for partition in self._of_file(number, rows, skip):
                    count += 1
                    if count > skip and partition is not None:
                        yield partition
                skip = max(0, skip - count)

    def _of_file(self, number: int, rows: int, skip: int) -> Iterator[Partition | None]:
        """Yield the partitions of a file, None for one that is skipped without reading it."""
        if self.is_csv:
            yield from _CsvFile(number, self._files[number], self.schema).partitions(rows)
            return
        with pq.ParquetFile(self._files[number], pre_buffer=False, buffer_size=1 << 20) as file:
            there = -(-file.metadata.num_rows // rows)
            skipped = min(skip, there)
            yield from [None] * skipped
            start = skipped * rows
            for table in _cut(_read_parquet(file, start, rows, self.schema), rows):
                yield Partition(file=number, table=table, rows=range(start, start + len(table)))
                start += len(table)

    def _read_schema(self, number: int) -> pa.Schema:
        with self._naming(number):
            if self.is_csv:
                return pa.schema([(name, pa.string()) for name in _CsvFile.header(self._files[number])])
            found = pq.read_schema(self._files[number])
            return pa.schema([(one.name, _plain(one.type)) for one in found])

    @contextmanager
    def _naming(self, number: int) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, EOFError) as error:
            raise StageError(f"{self.names[number]} cannot be read: {str(error).splitlines()[0]}") from error


def values_of(column: pa.ChunkedArray) -> Any:
    """Return a column as a check takes it: numpy where it has numbers only, else a list."""
    kind = column.type
    if pa.types.is_decimal(kind):
        column, kind = column.cast(pa.float64()), pa.float64()
    if pa.types.is_floating(kind) or (
        (pa.types.is_integer(kind) or pa.types.is_boolean(kind)) and not column.null_count
    ):
        return column.to_numpy()
    return column.to_pylist()


class _CsvFile:
    """One CSV file. Lines without anything are no rows."""

    def __init__(self, number: int, file: Path, schema: pa.Schema) -> None:
        self._number, self._file, self._schema = number, file, schema
        self._broken: list[RowProblem] = []
        self._told = self._taken = 0  # broken rows that a partition has; rows of the file

    @staticmethod
    def header(file: Path) -> list[str]:
        options = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip")
        reading = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        with _open(file) as stream, csv.open_csv(stream, reading, options) as reader:
            return list(reader.schema.names)

    def partitions(self, rows: int) -> Iterator[Partition]:
        for table in _cut(self._tables(), rows):
            numbers = self._number_rows(len(table))
            decoded, refused = _decode(table, numbers, self._schema)
            yield Partition(
                file=self._number, table=decoded, rows=numbers, refused=refused, broken=self._take_broken()
            )
        self._told, left = len(self._broken), self._broken[self._told :]
        if left:
            yield Partition(file=self._number, table=self._schema.empty_table(), rows=(), broken=left)

    def _tables(self) -> Iterator[pa.Table]:
        # As bytes: what is no text is to cost its row and not the file.
        kinds = dict.fromkeys(self._schema.names, pa.binary())
        with (
            _open(self._file) as stream,
            csv.open_csv(
                stream,
                csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._note_broken),
                csv.ConvertOptions(column_types=kinds, strings_can_be_null=False, check_utf8=False),
            ) as reader,
        ):
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def _note_broken(self, row: Any) -> str:
        text = row.text if len(row.text) <= _SHOWN else row.text[:_SHOWN] + "…"
        found = f"{row.actual_columns} fields: {text}"
        problem = RowProblem(
            row=row.number - 2,  # counts from 1, and the names are a row to it
            column=None,
            found=found,
            wanted=f"{row.expected_columns} fields",
        )
        self._broken.append(problem)
        return "skip"

    def _number_rows(self, count: int) -> Sequence[int]:
        """Return the numbers of the next rows that are whole."""
        start = self._taken
        if self._told == len(self._broken) or (self._broken[self._told].row or 0) >= start + count:
            self._taken += count
            return range(start, start + count)
        broken = {problem.row for problem in self._broken[self._told :]}
        numbers: list[int] = []
        while len(numbers) < count:
            if self._taken not in broken:
                numbers.append(self._taken)
            self._taken += 1
        return numbers

    def _take_broken(self) -> list[RowProblem]:
        first = self._told
        while self._told < len(self._broken) and (self._broken[self._told].row or 0) < self._taken:
            self._told += 1
        return self._broken[first : self._told]


def _open(file: Path) -> Any:
    return pa.input_stream(str(file), compression="gzip" if file.name.lower().endswith(".gz") else None)


def _read_parquet(file: pq.ParquetFile, start: int, rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows from `start` on; row groups before it are not read."""
    first = 0
    while (
        first < file.num_row_groups - 1
        and start >= (whole := file.metadata.row_group(first).num_rows)
    ):  # fmt: skip
        start -= whole
        first += 1
    groups = list(range(first, file.num_row_groups))
    for batch in file.iter_batches(batch_size=rows, row_groups=groups, use_threads=False):
        if start >= len(batch):
            start -= len(batch)
            continue
        yield pa.Table.from_batches([batch.slice(start)]).cast(schema)
        start = 0


def _cut(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Join and cut tables so that each has `rows` rows, but the last."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        while count >= rows:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, rows)
            waiting, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(waiting)


def _decode(
    table: pa.Table, numbers: Sequence[int], schema: pa.Schema
) -> tuple[pa.Table, Mapping[int, RowProblem]]:
    """Return the columns as text, and which rows have something else, by position."""
    refused: dict[int, RowProblem] = {}
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(column.cast(pa.string()))
            continue
        except pa.ArrowInvalid:
            pass
        texts = []
        for at, value in enumerate(column.to_pylist()):
            text = value.decode("utf-8", "replace")
            texts.append(text)
            if "\ufffd" in text and text.encode() != value:
                refused[at] = RowProblem(
                    row=numbers[at], column=name, found="bytes that are no UTF-8", wanted="text in UTF-8"
                )
        columns.append(pa.chunked_array([pa.array(texts, pa.string())]))
    return pa.table(columns, schema=schema), refused


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type without a dictionary, which would be another one in each partition."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _difference(found: pa.Schema, wanted: pa.Schema) -> str:
    for one in chain(wanted, found):
        if one.name not in found.names:
            return f"it lacks '{one.name}'; {did_you_mean(one.name, found.names)}"
        if one.name not in wanted.names:
            return f"it has '{one.name}' too"
        left, right = found.field(one.name).type, wanted.field(one.name).type
        if left != right:
            return f"'{one.name}' is {left}, there it is {right}"
    return "their order is another one"
