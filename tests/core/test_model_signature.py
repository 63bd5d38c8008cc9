"""What a model takes is what the schema of its training said, narrowed to the columns that it reads."""

from __future__ import annotations

import json

from headrace.core.model_signature import InputColumn, ModelSignature, describe_inputs

SCHEMA = {
    "columns": {
        "age": {"dtype": "int64", "in_range": {"min_value": 16, "max_value": 100}},
        "pixel_[0-9]": {"dtype": "float64", "regex": True, "checks": {"greater_than": 0}},
        "name": {"dtype": "str", "nullable": True, "metadata": {"private": "hash"}, "description": "who"},
        "id": {"dtype": "str", "metadata": {"private": True}},
        "target": {"dtype": "str"},
    }
}


def test_columns_follow_the_schema_and_leave_the_target_out() -> None:
    """Types, checks, missing values and what is private come from the schema; patterns name real columns."""
    dtypes = {"age": "int64", "pixel_1": "float32", "name": "object", "id": "str", "target": "str"}
    age, pixel, name, identity = describe_inputs(SCHEMA, dtypes, (), ["target"])
    assert age == InputColumn(
        name="age", dtype="int64", checks={"in_range": {"min_value": 16, "max_value": 100}}
    )
    assert pixel == InputColumn(name="pixel_1", dtype="float64", checks={"greater_than": 0})
    assert (name.nullable, name.private, name.description) == (True, "hash", "who")
    assert identity.private == "leave_out"


def test_without_a_schema_the_types_that_training_saw_count() -> None:
    """A column with missing values there may miss them later, and there is no other check."""
    found = describe_inputs(None, {"a": "int64", "b": "float64"}, ["b"], [])
    assert found == (
        InputColumn(name="a", dtype="int64"),
        InputColumn(name="b", dtype="float64", nullable=True),
    )


def test_checks_written_as_a_list_or_of_whole_tables_are_told_apart() -> None:
    """Pandera's list form is read, and a check that no row can answer for is left out."""
    checks = [
        {"value": 3, "options": {"check_name": "greater_than"}},
        {"value": [1, 2], "options": {"check_name": "unique_values_eq"}},
    ]
    (column,) = describe_inputs({"columns": {"a": {"checks": checks}}}, {"a": "int64"}, (), [])
    assert set(column.checks) == {"greater_than"}


def test_a_signature_survives_json() -> None:
    """What is read back equals what was written."""
    signature = ModelSignature(
        inputs=describe_inputs(SCHEMA, {"age": "int64"}, (), []),
        ignored=("target",),
        task="classification",
        dtype="str",
        classes=("a", "b"),
        probabilities=True,
    )
    assert ModelSignature.from_json(json.loads(json.dumps(signature.to_json()))) == signature
    assert signature.to_pandera()["columns"]["age"]["checks"]["in_range"] == {
        "min_value": 16,
        "max_value": 100,
    }
