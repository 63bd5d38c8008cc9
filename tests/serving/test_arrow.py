"""Tests of requests and answers as Arrow IPC streams."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.serving.arrow import MEDIA_TYPE, read_columns
from headrace.serving.exchange import Refused
from tests.serving.conftest import Service
from tests.serving.small_model import FITTED

ROWS = pd.DataFrame({"length": [1.5, -9.0], "age": [3, 0], "colour": ["red", "green"]})


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


BODY = stream(pa.Table.from_pandas(ROWS, preserve_index=False))


def read(table: pa.Table, max_rows: int = 100, max_bytes: int = 10_000) -> Any:
    return read_columns(stream(table), max_rows, max_bytes)


def test_arrow_in_is_arrow_out(service: Service) -> None:
    """A stream is answered by a stream, with a column for each class where they are asked for."""
    headers = {"content-type": MEDIA_TYPE}
    answer = service.ask("POST", "/predict?probabilities=true", content=BODY, headers=headers)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["x-model-version"] == "3"
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table["prediction"].to_pylist() == FITTED.predict(ROWS).tolist()
    assert np.array_equal(table["probability_yes"].to_numpy(), FITTED.predict_proba(ROWS)[:, 1])


@pytest.mark.parametrize("accept", ["application/json", "text/html, application/json;q=0.9"])
def test_the_client_says_what_it_takes(service: Service, accept: str) -> None:
    """A stream is answered in JSON where the client accepts that and no stream."""
    headers = {"content-type": MEDIA_TYPE, "accept": accept}
    answer = service.ask("POST", "/predict", content=BODY, headers=headers)
    assert answer.json()["predictions"] == FITTED.predict(ROWS).tolist()


def test_a_category_column_is_its_values() -> None:
    """A dictionary column gives the values of its rows, missing ones as None."""
    words = pa.array(["red", None, "green", "red"]).dictionary_encode()
    assert read(pa.table({"colour": words})) == {"colour": ["red", None, "green", "red"]}


def test_what_would_grow_is_refused() -> None:
    """A small body that is large once it is unpacked gets 413 or 422 before it is unpacked."""
    nothing = pa.table({f"c{at}": pa.nulls(90) for at in range(200)})
    with pytest.raises(Refused, match="more than 10000 values"):
        read(nothing)
    with pytest.raises(Refused, match="1000000 rows, wanted at most 100"):
        read(pa.table({"c": pa.nulls(1_000_000)}))
    long = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([0] * 90, pa.int8()), ["x" * 1000])})
    with pytest.raises(Refused, match="texts of the request have more than 10000 bytes"):
        read(long)
    for codec in ("lz4", "zstd"):
        zeros = stream(pa.table({"c": np.zeros(90)}), compression=codec)
        with pytest.raises(Refused, match="compressed"):
            read_columns(zeros, 100, 10_000)
    words = pa.table({"c": pa.array(["x" * 500] * 5).dictionary_encode()})
    with pytest.raises(Refused, match="compressed"):
        read_columns(stream(words, compression="lz4"), 100, 10_000)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int8()), pa.string_view(), pa.binary(), pa.struct([("a", pa.int8())])]
)
def test_other_types_are_refused_by_name(kind: pa.DataType) -> None:
    """A column of a type that no model takes is named."""
    with pytest.raises(Refused, match="column 'c' has the type"):
        read(pa.table({"c": pa.array([], kind)}))


def test_a_name_twice_is_refused() -> None:
    """Two columns of one name are an error: one of them would be lost."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(Refused, match="one name"):
        read(twice)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(BODY) - 1), value=st.integers(0, 255), cut=st.integers(0, len(BODY)))
def test_a_damaged_stream_never_crashes(at: int, value: int, cut: int) -> None:
    """Any byte changed and the end cut off: rows or a refusal, never another error."""
    damaged = bytearray(BODY)
    damaged[at] = value
    for body in (bytes(damaged), bytes(damaged)[:cut], BODY[cut:]):
        with suppress(Refused):
            assert isinstance(read_columns(body, 1000, 100_000), dict)
