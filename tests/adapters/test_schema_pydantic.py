"""Requests as bytes: both forms are read, and whatever is no request is refused with what is wrong where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.errors import ConfigError, RowsRejected

CLINIC = ModelSignature(
    inputs=(
        InputColumn(name="age", dtype="int8", checks={"in_range": {"min_value": 16, "max_value": 100}}),
        InputColumn(name="mass", dtype="float64", nullable=True, checks={"greater_than": 0}),
        InputColumn(name="sex", dtype="str", checks={"isin": ["female", "male"]}),
        InputColumn(name="name", dtype="str", private="hash", checks={"str_length": {"max_value": 5}}),
    ),
    ignored=("target",),
    probabilities=True,
)
GOOD: dict[str, Any] = {"age": 39, "mass": 70, "sex": "male", "name": "Ann"}
ROWS = PydanticRows(CLINIC, max_rows=100)


def records(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"records": list(rows), **more}).encode()


def refusal(body: bytes, schema: PydanticRows = ROWS) -> RowsRejected:
    with pytest.raises(RowsRejected) as refused:
        schema.parse_json(body)
    return refused.value


def test_records_and_columns_say_the_same() -> None:
    """Both forms give the columns in the signature's order, in its types, without ignored ones."""
    rows = [GOOD, {"target": [{}], **GOOD, "mass": None, "age": 40.0}]
    request = ROWS.parse_json(records(*rows, probabilities=True))
    assert (request.rows, request.probabilities) == (2, True)
    assert list(request.columns) == ["age", "mass", "sex", "name"]
    assert request.columns["age"] == [39, 40]
    assert [type(value) for value in request.columns["mass"]] == [float, type(None)]
    whole = {name: [{"mass": None, **row}[name] for row in rows] for name in CLINIC.names}
    body = json.dumps({"columns": {**whole, "target": [1, 2]}, "probabilities": True}).encode()
    assert ROWS.parse_json(body) == request


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"age": 15}, "row 0, column age: found 15, wanted a whole number from 16 to 100"),
        ({"age": 16.5}, "row 0, column age: found 16.5, wanted a whole number from 16 to 100"),
        ({"age": True}, "row 0, column age: found true, wanted a whole number from 16 to 100"),
        ({"age": "39"}, "row 0, column age: found '39', wanted a whole number from 16 to 100"),
        ({"age": None}, "row 0, column age: found no value, wanted no missing value"),
        ({"mass": 0}, "row 0, column mass: found 0, wanted a number above 0"),
        ({"mass": {}}, "row 0, column mass: found an object, wanted a number above 0"),
        ({"sex": "men"}, "row 0, column sex: found 'men', wanted one of female, male"),
        ({"name": "Archibald"}, "row 0, column name: found a value, wanted a string of 0 to 5 characters"),
        (
            {"agee": 1},
            "row 0, column agee: found an unknown column, wanted no such column; did you mean age?",
        ),
    ],
)
def test_a_refusal_names_row_column_found_and_wanted(row: dict[str, Any], told: str) -> None:
    """Each kind of mistake is told in words; a private value never is."""
    refused = refusal(records({**GOOD, **row}))
    assert (str(refused), refused.total) == (told, 1)


def test_all_mistakes_are_counted_and_twenty_are_named() -> None:
    """Rows with values, rows with other columns and rows that are none are told in the order of rows."""
    refused = refusal(records(GOOD, 3, {**GOOD, "age": 1}, {}, *[{**GOOD, "mass": -1}] * 30))
    assert refused.total == 36
    assert len(refused.problems) == 20
    assert [problem.row for problem in refused.problems[:7]] == [1, 2, 3, 3, 3, 3, 4]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "found a list of 1, wanted"),
        (b"{}", "found no rows"),
        (b'{"records": [], "columns": {}}', "found both records and columns"),
        (b'{"records": []}', "found 0 rows, wanted from 1 to 100 rows"),
        (records(*[GOOD] * 101), "found 101 rows, wanted from 1 to 100 rows"),
        (b'{"records": {"age": 1}}', "found records: an object"),
        (b'{"columns": [1]}', "found columns: a list of 1"),
        (
            b'{"columns": {"age": 3, "mass": [1], "sex": [], "name": []}}',
            "column age: found 3, wanted a list",
        ),
        (b'{"columns": {"age": [39], "mass": [1], "sex": [], "name": []}}', "wanted columns of one length"),
        (b'{"rows": []}', "found the key 'rows'"),
        (records(GOOD, probabilities=1), "found probabilities: 1"),
        (records({**GOOD, "mass": float("nan")}), "found NaN"),
        (records({**GOOD, "target": float("inf")}), "found Infinity, wanted a number of JSON"),
        (records({**GOOD, "mass": 10**400}), "a whole number of more than 60 digits"),
        (records(GOOD).replace(b"70", b"1e400"), "found inf"),
        (records(GOOD).replace(b"70", b"7" * 5000), "no JSON"),
        (records(GOOD).replace(b"70", b"[" * 9000), "no JSON"),
        (records({**GOOD, "sex": "\ud800"}), "no JSON"),
        (records(GOOD).replace(b'"age"', b'"age": 30, "age"'), "found 'age' twice in one object"),
        (records({**GOOD, "name": '"'}).replace(b'"age"', b'"age": 30, "\\u0061ge"'), "found 'age' twice"),
        (records({**GOOD, "target": {"a": 1}}).replace(b'"a"', b'"a": 1, "a"'), "found 'a' twice"),
        (records({**GOOD, "x" * 10**6: 1}), "found an unknown column"),
    ],
)
def test_what_is_no_request_is_refused_in_few_words(body: bytes, told: str) -> None:
    """Broken, hostile and oversized bodies end in a refusal whose text is short."""
    refused = refusal(body)
    assert told in str(refused)
    assert len(str(refused)) < 1000


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nothing_but_a_refusal_comes_of_any_body(data: st.DataObject) -> None:
    """Any JSON near a request, and any that is cut and joined somewhere, is read or refused."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(GOOD)
    names = st.sampled_from(["records", "columns", "probabilities", *GOOD, "target", "x"])
    anything = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )
    whole = json.dumps({data.draw(names): data.draw(anything)}).encode()
    joined = whole + records(GOOD)[data.draw(st.integers(0, 100)) :]
    for body in (whole, joined, joined[: data.draw(st.integers(0, len(joined)))]):
        assert read(body) is None or read(body).total >= len(read(body).problems) > 0


def read(body: bytes) -> Any:
    """Return the refusal, None for a request."""
    try:
        ROWS.parse_json(body)
    except RowsRejected as refused:
        return refused
    return None


@settings(max_examples=60)
@given(
    names=st.lists(st.text(max_size=4), min_size=1, max_size=2), pretty=st.booleans(), ascii_=st.booleans()
)
@example(names=['a"', "NaN"], pretty=False, ascii_=True)
@example(names=["\\", ":"], pretty=True, ascii_=False)
def test_names_are_told_to_stand_twice_only_where_they_do(
    names: list[str], pretty: bool, ascii_: bool
) -> None:
    """Quotes, escapes, spaces and words such as NaN inside of strings make no body suspicious for long."""
    rows = [{**GOOD, "name": name, "target": name} for name in names]
    body = json.dumps({"records": rows}, indent=2 if pretty else None, ensure_ascii=ascii_).encode()
    assert ROWS.parse_json(body).columns["name"] == names
    spoilt = body.replace(b'"age":', b'"sex": "male", "age":', 1)
    assert "'sex' twice" in str(refusal(spoilt))


def test_a_model_without_probabilities_is_not_asked_for_them() -> None:
    """Asking is refused; saying that one does not want them is fine."""
    schema = PydanticRows(ModelSignature(inputs=CLINIC.inputs))
    assert schema.parse_json(records(GOOD, probabilities=False)).rows == 1
    assert "this model gives none" in str(refusal(records(GOOD, probabilities=True), schema))


def test_a_type_that_no_request_can_hold_is_told_when_the_schema_is_made() -> None:
    """The error names the column and what to do about it."""
    with pytest.raises(ConfigError, match=r"signature\.z\.dtype.*\n.*convert the column"):
        PydanticRows(ModelSignature(inputs=(InputColumn(name="z", dtype="complex128"),)))


def test_checks_that_only_warn_in_training_refuse_nobody() -> None:
    """`raise_warning` is honoured."""
    checks = {"greater_than": {"min_value": 0, "options": {"raise_warning": True}}}
    schema = PydanticRows(ModelSignature(inputs=(InputColumn(name="a", dtype="int64", checks=checks),)))
    assert schema.parse_json(b'{"columns": {"a": [-1]}}').rows == 1
