"""What the JSON schema of a request allows is what is accepted."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.errors import RowsRejected
from tests.adapters.schema_rows import rows, signatures

ORDERS = ("equal_to", "not_equal_to", "greater", "less", "in_range", "isin", "notin")


def can_be_said(column: InputColumn) -> bool:
    """Tell whether JSON schema has words for the column: it orders numbers only, and knows no calendar
    without formats. A class of characters is ASCII in its patterns, and not in Python's validator."""
    texts = column.dtype in ("str", "string", "category", "object")
    ordered = any(name.startswith(("greater", "less", "in_range")) for name in column.checks)
    patterned = any("\\" in str(value) for value in column.checks.values())
    return not (texts and (ordered or patterned)) and not column.dtype.startswith("dat")


@settings(max_examples=60)
@given(data=st.data())
def test_the_schema_allows_what_is_accepted(data: st.DataObject) -> None:
    """Integers and floats, bounds, lists, patterns, lengths, missing values, columns: both agree."""
    signature = data.draw(signatures())
    assume(all(can_be_said(column) for column in signature.inputs))
    schema = PydanticRows(signature)
    allowed = Draft202012Validator(schema.json_schema())
    for row in data.draw(st.lists(rows(signature), min_size=3, max_size=3)):
        for body in ({"records": [row]}, {"columns": {name: [value] for name, value in row.items()}}):
            try:
                schema.parse_json(json.dumps(body).encode())
                accepted = True
            except RowsRejected:
                accepted = False
            assert allowed.is_valid(body) == accepted, body


def test_the_schema_is_one_and_describes_columns() -> None:
    """It is valid itself, closed, and says bounds, formats and a description for each column."""
    inputs = (
        InputColumn(name="n", dtype="int8", checks={"greater_than": 0}, description="how many"),
        InputColumn(name="t", dtype="datetime64[ns, UTC]", nullable=True),
        InputColumn(name="d", dtype="date"),
    )
    told = PydanticRows(ModelSignature(inputs=inputs, ignored=("y",)), max_rows=7).json_schema()
    Draft202012Validator.check_schema(told)
    row: dict[str, Any] = told["oneOf"][0]["properties"]["records"]
    assert (row["minItems"], row["maxItems"], row["items"]["additionalProperties"]) == (1, 7, False)
    columns = row["items"]["properties"]
    assert columns["n"]["exclusiveMinimum"] == 0
    assert columns["n"]["maximum"] == 127
    assert columns["n"]["description"] == "how many"
    assert columns["t"]["anyOf"][0]["format"] == "date-time"
    assert columns["d"]["format"] == "date"
    assert row["items"]["required"] == ["n", "t", "d"]


def test_the_pattern_of_times_is_what_is_read() -> None:
    """Years, hours, fractions and offsets are accepted exactly where the pattern has them."""
    column = InputColumn(name="t", dtype="datetime64[ns, UTC]")
    schema = PydanticRows(ModelSignature(inputs=(column,)))
    allowed = Draft202012Validator(schema.json_schema())
    for text in (
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.123456789012Z",
        "2020-01-01t00:00:00z",
        "2020-01-01 00:00+23:59",
        "2020-01-01T24:00:00Z",
        "2020-01-01T23:59:60Z",
        "2020-13-01T00:00:00Z",
        "1677-12-31T23:59:59Z",
        "1678-01-01T00:00:00Z",
        "2261-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "2020-01-01T00:00:00",
        "2020-01-01",
        "1577836800",
        "2020-W01-1T00:00:00Z",
        "2020-01-01T00:00:00Z\n",
        "٢٠٢٠-01-01T00:00:00Z",
    ):
        body = {"records": [{"t": text}]}
        try:
            schema.parse_json(json.dumps(body).encode())
            accepted = True
        except RowsRejected:
            accepted = False
        assert allowed.is_valid(body) == accepted, text
