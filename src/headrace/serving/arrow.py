"""Rows and answers as an Arrow IPC stream.

A stream is a small program for the reader: it may say that it is a gigabyte once it is unpacked. So what
could grow is refused before it does: compressed bodies, nested types, columns that repeat a long text.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from headrace.core.serving import Answers, Columns
from headrace.serving.exchange import Refused

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
# Places in Arrow's flatbuffers (format/Message.fbs), which pyarrow does not show.
_HEADER_TYPE, _HEADER = 1, 2
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2  # values of `header_type`
_DICTIONARY_DATA, _COMPRESSION = 1, 3


def read_columns(body: bytes, max_rows: int, max_bytes: int) -> Columns:
    """Read a stream of record batches into lists and arrays by column.

    Args:
        body: The stream, uncompressed.
        max_rows: Of all its batches together.
        max_bytes: That its texts may take, and cells that it may have.

    Raises:
        Refused: 422 where it is no such stream, 413 where it would be too large.
    """
    import pyarrow as pa

    try:
        _refuse_compression(body)
        with pa.ipc.open_stream(body) as reader:
            _check_types(reader.schema)
            table = reader.read_all()
        if table.num_rows > max_rows:
            raise Refused(
                413, f"the request has {table.num_rows} rows, wanted at most {max_rows}", "too_large"
            )
        if table.num_rows * table.num_columns > max_bytes:
            raise Refused(413, f"the request has more than {max_bytes} values", "too_large")
        table.validate(full=True)
        return {
            name: _values(column, max_bytes)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except (pa.ArrowException, OSError, ValueError, struct.error, OverflowError) as error:
        raise _no_stream(str(error)) from None


def write_answers(answers: Answers, classes: Sequence[Any]) -> bytes:
    """Write a stream with the column `prediction` and, with probabilities, one for each class."""
    import pyarrow as pa

    columns = {"prediction": pa.array(answers.predictions)}
    if answers.probabilities is not None:
        for at, label in enumerate(classes):
            columns[f"probability_{label}"] = pa.array(answers.probabilities[:, at])
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _values(column: Any, max_bytes: int) -> Any:
    """Return a column as an array of numbers where it is one, else as a list.

    The rows of a dictionary share its values: none is copied.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if pa.types.is_floating(column.type) or (numbers and not column.null_count):
        return column.to_numpy()  # a missing number is NaN
    if not pa.types.is_dictionary(column.type):
        return column.to_pylist()
    values: list[Any] = []
    size = 0
    for chunk in column.chunks:
        words = chunk.dictionary
        if pa.types.is_string(words.type) or pa.types.is_large_string(words.type):
            size += pc.sum(pc.take(pc.binary_length(words), chunk.indices)).as_py() or 0
        if size > max_bytes:
            raise Refused(413, f"the texts of the request have more than {max_bytes} bytes", "too_large")
        known = words.to_pylist()
        values.extend(None if at is None else known[at] for at in chunk.indices.to_pylist())
    return values


def _check_types(schema: Any) -> None:
    import pyarrow as pa

    if len(set(schema.names)) != len(schema.names):
        raise _no_stream("two of its columns have one name")
    for name, found in zip(schema.names, schema.types, strict=True):
        inner = found.value_type if pa.types.is_dictionary(found) else found
        if not (
            pa.types.is_boolean(inner)
            or pa.types.is_integer(inner)
            or pa.types.is_floating(inner)
            or pa.types.is_string(inner)
            or pa.types.is_large_string(inner)
            or pa.types.is_timestamp(inner)
            or pa.types.is_date(inner)
            or pa.types.is_null(inner)
        ):
            wanted = "send numbers, texts, booleans or times"
            told = f"column {name[:200]!r} has the type {str(found)[:100]}; {wanted}"
            raise Refused(422, told, "bad_request")


def _refuse_compression(body: bytes) -> None:
    import pyarrow as pa

    reader = pa.ipc.MessageReader.open_stream(body)
    for message in reader:
        metadata = message.metadata.to_pybytes()
        root = struct.unpack_from("<I", metadata, 0)[0]
        kind = _field(metadata, root, _HEADER_TYPE)
        if kind is None or metadata[kind] not in (_RECORD_BATCH, _DICTIONARY_BATCH):
            continue
        batch = _table(metadata, root, _HEADER)
        if batch is not None and metadata[kind] == _DICTIONARY_BATCH:
            batch = _table(metadata, batch, _DICTIONARY_DATA)
        if batch is not None and _field(metadata, batch, _COMPRESSION) is not None:
            raise _no_stream("its buffers are compressed; write it without compression")


def _field(data: bytes, table: int, number: int) -> int | None:
    """Return where a field of a flatbuffers table is, None where it is left out."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise ValueError("its metadata points outside of it")
    size = struct.unpack_from("<H", data, vtable)[0]
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, vtable + at)[0] if at + 2 <= size else 0
    if offset and table + offset >= len(data):
        raise ValueError("its metadata points outside of it")
    return table + offset if offset else None


def _table(data: bytes, table: int, number: int) -> int | None:
    field = _field(data, table, number)
    return None if field is None else field + int(struct.unpack_from("<I", data, field)[0])


def _no_stream(why: str) -> Refused:
    return Refused(422, f"the body is not taken as an Arrow IPC stream: {why[:200]}", "bad_request")
