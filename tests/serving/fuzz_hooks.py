"""What schemathesis must know of the service beside its document."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import schemathesis
from hypothesis import strategies as st

from headrace.serving.arrow import MEDIA_TYPE
from tests.serving.small_model import ROW


def stream() -> bytes:
    """Return a good request as an Arrow stream."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([ROW])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


schemathesis.openapi.media_type(MEDIA_TYPE, st.just(stream()))


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out columns of several lengths: JSON schema cannot say that they are wrong."""
    columns = case.body.get("columns") if isinstance(case.body, dict) else None
    if not isinstance(columns, dict):
        return True
    return len({len(values) for values in columns.values() if isinstance(values, list)}) <= 1
