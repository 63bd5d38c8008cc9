"""Tables: checked as requests are, whatever their values came in, and made in the types of training."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.errors import RowsRejected
from tests.adapters.schema_rows import columns, near, rows, signatures, table_of

NUMBERS = ModelSignature(
    inputs=(
        InputColumn(name="age", dtype="int64", checks={"in_range": {"min_value": 16, "max_value": 100}}),
        InputColumn(name="mass", dtype="float64", nullable=True, checks={"greater_than": 0}),
        InputColumn(name="sex", dtype="str", nullable=True, checks={"isin": ["female", "male"]}),
    ),
    ignored=("target",),
)


def body_of(row: dict[str, Any]) -> bytes:
    return json.dumps({"records": [row]}).encode()


@settings(max_examples=100)
@given(data=st.data())
def test_a_column_has_the_good_rows_that_single_requests_have(data: st.DataObject) -> None:
    """Few values go one by one and many through numpy: both find what `parse_json` finds."""
    column = data.draw(columns("a"))
    schema = PydanticRows(ModelSignature(inputs=(column,)))
    few = data.draw(st.lists(near(column), min_size=1, max_size=6))
    alone = []
    for value in few:
        try:
            schema.parse_json(body_of({"a": value}))
        except RowsRejected:
            continue
        alone.append(value)
    good = [at for at, value in enumerate(few) if any(value is one for one in alone)]
    for values in (few, few * 3):
        found = schema.check_columns({"a": values})
        wanted = [at for at in range(len(values)) if at % len(few) in good]
        assert list(found.good) == wanted
        assert sorted(found.bad) == [at for at in range(len(values)) if at not in wanted]
    if alone and not any(isinstance(value, str) for value in alone):
        array = pd.Series(alone * 9).to_numpy()
        assert len(schema.check_columns({"a": array}).good) == len(array)


@settings(max_examples=60)
@given(data=st.data())
def test_the_frame_of_a_request_is_the_table_that_training_would_see(data: st.DataObject) -> None:
    """Values and types are those of the table that Pandera checks, for one row and for many."""
    signature = data.draw(signatures())
    schema = PydanticRows(signature)
    for row in data.draw(st.lists(rows(signature), min_size=3, max_size=3)):
        try:
            request = schema.parse_json(body_of(row))
        except RowsRejected:
            continue
        wanted = table_of(row, signature)
        for frame in (schema.to_frame(request.columns), schema.to_frame({n: [v] for n, v in row.items()})):
            pd.testing.assert_frame_equal(frame, wanted[list(signature.names)], check_categorical=False)
        many = schema.to_frame({name: values * 20 for name, values in request.columns.items()})
        assert many.dtypes.astype(str).tolist() == [c.dtype for c in signature.inputs] or "date" in [
            c.dtype for c in signature.inputs
        ]
        assert len(many) == 20


def test_a_time_may_be_written_in_small_letters() -> None:
    """RFC 3339 has `t` and `z` as well; the table holds the same moment."""
    signature = ModelSignature(inputs=(InputColumn(name="a", dtype="datetime64[ms, UTC]"),))
    row = {"a": "2020-01-01t00:00:00z"}
    request = PydanticRows(signature).parse_json(body_of(row))
    frame = PydanticRows(signature).to_frame(request.columns)
    pd.testing.assert_frame_equal(frame, table_of(row, signature))
    assert frame["a"][0] == pd.Timestamp("2020-01-01", tz="UTC")


def test_text_is_read_leniently_and_tells_what_it_cannot_read() -> None:
    """Spaces, `3.0` for a whole number and nothing for a missing value are read; a word is not."""
    schema = PydanticRows(NUMBERS)
    table = {
        "age": ["39", " 40 ", "41.0", "x", "", "1_0"],
        "mass": ["1e3", "", "nan", "2", "3", "inf"],
        "sex": ["male", "", "female", "male", "male", "male"],
    }
    found = schema.check_columns(table, as_text=True)
    assert list(found.good) == [0, 1]
    assert [str(problem) for problem in found.bad[3]] == [
        "row 3, column age: found 'x', wanted a whole number from 16 to 100"
    ]
    assert [problem.wanted for problem in found.bad[4]] == ["no missing value"]
    assert [problem.column for problem in found.bad[5]] == ["age", "mass"]
    frame = schema.to_frame({name: values[:2] for name, values in table.items()}, as_text=True)
    pd.testing.assert_frame_equal(
        frame, pd.DataFrame({"age": [39, 40], "mass": [1000.0, np.nan], "sex": ["male", None]})
    )


def test_a_large_table_of_text_is_read_as_the_small_one_is() -> None:
    """What numpy reads from text is what is read value by value."""
    schema = PydanticRows(NUMBERS)
    table = {"age": ["39", "15", "40"] * 9, "mass": ["1.5", "", "-1"] * 9, "sex": ["male", "", "other"] * 9}
    found = schema.check_columns(table, as_text=True)
    assert list(found.good) == list(range(0, 27, 3))
    good = {name: [values[at] for at in found.good] for name, values in table.items()}
    assert schema.to_frame(good, as_text=True)["mass"].tolist() == [1.5] * 9


@pytest.mark.parametrize("count", [1, 20])
def test_numpys_own_values_and_missing_ones_are_read(count: int) -> None:
    """NaN, NaT and NA are missing in a table, and times without a zone suit a column without one."""
    signature = ModelSignature(
        inputs=(
            InputColumn(name="n", dtype="float64", nullable=True),
            InputColumn(name="i", dtype="Int64", nullable=True),
            InputColumn(name="t", dtype="datetime64[ns]", nullable=True),
            InputColumn(name="s", dtype="category", nullable=True),
        )
    )
    schema = PydanticRows(signature)
    table = {
        "n": np.array([1.5, np.nan] * count),
        "i": np.array([3.0, np.nan] * count),
        "t": np.array(["2020-01-01T00:00:00.000000001", "NaT"] * count, dtype="datetime64[ns]"),
        "s": ["a", None] * count,
    }
    assert list(schema.check_columns(table).good) == list(range(2 * count))
    frame = schema.to_frame(table)
    assert frame.dtypes.astype(str).tolist() == ["float64", "Int64", "datetime64[ns]", "category"]
    assert frame.isna().to_numpy().tolist() == [[False] * 4, [True] * 4] * count
    assert schema.require_columns(table).columns["i"][:2] == [3, None]


def test_times_have_a_zone_exactly_where_the_column_has_one() -> None:
    """An aware time is brought to the column's zone; a naive one is refused there, and the reverse."""
    zoned = PydanticRows(ModelSignature(inputs=(InputColumn(name="t", dtype="datetime64[ms, UTC]"),)))
    plain = PydanticRows(ModelSignature(inputs=(InputColumn(name="t", dtype="datetime64[us]"),)))
    aware, naive = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1)  # noqa: DTZ001
    assert list(zoned.check_columns({"t": [aware, naive]}).good) == [0]
    assert list(plain.check_columns({"t": [aware, naive]}).good) == [1]
    request = zoned.parse_json(b'{"columns": {"t": ["2020-01-01T01:00:00+01:00"]}}')
    assert request.columns == {"t": [aware]}
    assert str(zoned.to_frame(request.columns)["t"].dtype) == "datetime64[ms, UTC]"


def test_a_table_without_a_column_has_no_good_row() -> None:
    """Missing and unknown columns and uneven ones are told once, not for each row."""
    schema = PydanticRows(NUMBERS)
    found = schema.check_columns({"age": [39], "mass": [1.0, 2.0], "sexx": ["male"]})
    assert (list(found.good), dict(found.bad)) == ([], {})
    assert [str(problem) for problem in found.problems] == [
        "column sexx: found an unknown column, wanted no such column; did you mean sex?",
        "column sex: found no such column, wanted one of female, male",
        "found 1 values of age and 2 of mass, wanted columns of one length",
    ]


def test_columns_of_a_request_must_all_be_good() -> None:
    """`require_columns` counts every problem, names the first rows, and drops ignored columns."""
    schema = PydanticRows(NUMBERS, max_rows=50)
    good = {"age": [39] * 30, "mass": [None] * 30, "sex": ["male"] * 30, "target": [0] * 30}
    assert set(schema.require_columns(good).columns) == {"age", "mass", "sex"}
    with pytest.raises(RowsRejected) as refused:
        schema.require_columns(good | {"age": [1] * 30, "mass": [-1.0] * 30})
    assert refused.value.total == 60
    assert [(one.row, one.column) for one in refused.value.problems[:3]] == [
        (0, "age"),
        (0, "mass"),
        (1, "age"),
    ]
    for rows_ in (0, 51):
        with pytest.raises(RowsRejected, match=f"{rows_} rows, wanted from 1 to 50 rows"):
            schema.require_columns({name: values[:1] * rows_ for name, values in good.items()})


@pytest.mark.parametrize("count", [1, 20])
def test_arrows_columns_are_read_as_they_are(count: int) -> None:
    """Arrow's arrays, whole or in chunks, are a table too."""
    table = pa.table({"age": [39, 15] * count, "mass": [1.0, None] * count, "sex": [None, "male"] * count})
    columns_ = dict(zip(table.column_names, table.columns, strict=True))
    schema = PydanticRows(NUMBERS)
    found = schema.check_columns(columns_)
    assert list(found.good) == list(range(0, 2 * count, 2))
    assert found.bad[1][0].found == "15"
    frame = schema.to_frame({name: column.take(list(found.good)) for name, column in columns_.items()})
    assert frame["mass"].tolist() == [1.0] * count


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64])
def test_numbers_beyond_the_type_are_refused_among_others(value: int) -> None:
    """numpy would round them to a float that fits."""
    column = InputColumn(name="n", dtype="int64")
    schema = PydanticRows(ModelSignature(inputs=(column,)))
    assert list(schema.check_columns({"n": [-1, value] * 10}).bad) == list(range(1, 20, 2))
    found = schema.check_columns({"n": ["-1", str(value)] * 10}, as_text=True)
    assert list(found.bad) == list(range(1, 20, 2))


def test_half_a_surrogate_is_refused_before_arrow_sees_it() -> None:
    """A string that cannot be stored is no string, alone or among many."""
    schema = PydanticRows(NUMBERS)
    for count in (1, 20):
        table = {"age": [39] * count, "mass": [1.0] * count, "sex": ["\ud800"] * count}
        assert len(schema.check_columns(table).bad) == count
