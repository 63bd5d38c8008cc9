"""Pandera behind the checker's role: rows, structure, coercion, and bad schemas."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest

from headrace.adapters.schema_pandera import PanderaChecker
from headrace.errors import ConfigError


class Bird(pa.DataFrameModel):
    """A schema as a class."""

    mass: float = pa.Field(gt=0)


def columns(**specs: Any) -> dict[str, Any]:
    return {"schema_type": "dataframe", "columns": specs}


def test_all_failures_come_at_once_and_rows_keep_their_index() -> None:
    """Two columns, three failures, two rows: rejected rows are untouched and named by their index."""
    table = pd.DataFrame({"a": [1, -1, 3], "b": ["x", "y", "z"]}, index=[10, 20, 30])
    spec = columns(a={"dtype": "int64", "greater_than": 0}, b={"dtype": "str", "isin": ["x"]})
    found = PanderaChecker(spec).check(table)
    assert found.valid.index.tolist() == [10]
    pd.testing.assert_frame_equal(found.rejected, table.loc[[20, 30]])
    assert sorted(zip(found.failures["column"], found.failures["index"], strict=True)) == [
        ("a", 20),
        ("b", 20),
        ("b", 30),
    ]
    assert found.structural == ()


def test_one_bad_value_does_not_condemn_a_column_that_coerces() -> None:
    """With `coerce`, the row that cannot be converted is rejected and the others get the type."""
    table = pd.DataFrame({"a": ["1", "2", "many"]})
    found = PanderaChecker(columns(a={"dtype": "int64", "coerce": True})).check(table)
    assert found.valid["a"].tolist() == [1, 2]
    assert found.valid["a"].dtype == "int64"
    assert found.rejected["a"].tolist() == ["many"]
    assert found.structural == ()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pd.DataFrame({"b": [1]}), "column a is missing"),
        (pd.DataFrame({"a": [1.5]}), "column a: dtype('int64') fails (found float64)"),
        (pd.DataFrame({"a": [1], "c": [1]}), "column c is not in the schema"),
    ],
)
def test_what_no_row_can_answer_for_is_structural(table: pd.DataFrame, told: str) -> None:
    """Missing, mistyped and unknown columns are structure, not rows."""
    found = PanderaChecker(columns(a={"dtype": "int64"}) | {"strict": True}).check(table)
    assert told in found.structural
    assert found.valid.empty


def test_rows_are_told_apart_where_the_index_repeats() -> None:
    """A repeated index label rejects the failing row only."""
    table = pd.DataFrame({"a": [1, -1]}, index=[0, 0])
    found = PanderaChecker(columns(a={"dtype": "int64", "greater_than": 0})).check(table)
    assert found.valid["a"].tolist() == [1]
    assert found.rejected["a"].tolist() == [-1]


def test_every_row_may_fail() -> None:
    """A table without one good row has an empty valid part."""
    found = PanderaChecker(columns(a={"dtype": "int64", "greater_than": 9})).check(
        pd.DataFrame({"a": [1, 2]})
    )
    assert len(found.valid) == 0
    assert len(found.rejected) == 2


def test_what_pandera_infers_can_be_pasted_in() -> None:
    """A schema that Pandera inferred and serialised accepts the table it was inferred from."""
    from pandera.io.pandas_io import serialize_schema

    table = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5]})
    found = PanderaChecker(serialize_schema(pa.infer_schema(table))).check(table)
    assert found.rejected.empty
    assert found.structural == ()
    assert len(found.valid) == 2


def test_a_model_is_taken_by_its_dotted_path() -> None:
    """`model:` and a bare path both name a DataFrameModel that Python can import."""
    import sys

    sys.modules["birds_for_a_test"] = module = type(sys)("birds_for_a_test")
    module.Bird = Bird  # type: ignore[attr-defined]
    try:
        for schema in ({"model": "birds_for_a_test.Bird"}, "birds_for_a_test.Bird"):
            found = PanderaChecker(schema).check(pd.DataFrame({"mass": [1.0, -1.0]}))
            assert found.rejected.index.tolist() == [1]
        with pytest.raises(ConfigError, match=r"did you mean birds_for_a_test\.Bird\?"):
            PanderaChecker("birds_for_a_test.Brid")
    finally:
        del sys.modules["birds_for_a_test"]


def test_every_mistake_in_a_schema_is_listed() -> None:
    """A misspelt key, an unknown check and an unknown type come together, each with its place."""
    spec = columns(a={"dtpye": "int64"}, b={"checks": {"is_in": [1]}}, c={"dtype": "in64"}) | {"srtict": True}
    with pytest.raises(ConfigError) as raised:
        PanderaChecker(spec)
    wheres = [problem.where for problem in raised.value.problems]
    assert wheres == [
        "schema.srtict",
        "schema.columns.a.dtpye",
        "schema.columns.b.checks.is_in",
        "schema.columns.c",
    ]
    assert "did you mean isin?" in str(raised.value)
