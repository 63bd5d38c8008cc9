"""Rows and answers as an Arrow IPC stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.core.serving import Answers, Columns
from headrace.serving.exchange import Refused

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def read_columns(body: bytes, max_rows: int, max_bytes: int) -> Columns:
    """Read a stream of record batches into lists by column. Raises `Refused` where it is none."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused(422, f"the body is no Arrow IPC stream: {str(error)[:200]}", "bad_request") from None
    return {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}


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
