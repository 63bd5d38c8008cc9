"""One schema, two checkers: Pandera on the table of a row, pydantic-core on its JSON. They agree."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.adapters.schema_pandera import PanderaChecker
from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.model_signature import ModelSignature, describe_inputs
from headrace.errors import RowsRejected
from tests.adapters.schema_rows import rows, signatures, table_of

SCHEMAS = Path(__file__).parents[2] / "conf" / "schema"
TARGETS = {
    "adult": "income",
    "breast_cancer": "target",
    "digits": "target",
    "flights": "delayed",
    "penguins": "species",
}
ADULT = {
    "age": 39,
    "workclass": "State-gov",
    "fnlwgt": 77516,
    "education": "Bachelors",
    "education_num": 13,
    "marital_status": "Never-married",
    "occupation": None,
    "relationship": "Not-in-family",
    "race": "White",
    "sex": "Male",
    "capital_gain": 2174,
    "capital_loss": 0,
    "hours_per_week": 40,
    "native_country": "Cuba",
}
FLIGHT = {
    "time_hour": "2013-01-01T10:00:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "arr_delay": 11,
    "distance": 1400,
    "pressure": 1011.9,
    "visib": 10,
}
PENGUIN = {
    "island": "Dream",
    "bill_length_mm": 39.1,
    "bill_depth_mm": 18.7,
    "flipper_length_mm": 181,
    "body_mass_g": 3750,
    "sex": "male",
    "year": 2007,
}
GOOD = {"adult": ADULT, "flights": FLIGHT, "penguins": PENGUIN}
slow_to_draw = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@cache
def signature_of(name: str) -> ModelSignature:
    schema = yaml.safe_load((SCHEMAS / f"{name}.yaml").read_text())
    dtypes = {column: spec["dtype"] for column, spec in schema["columns"].items() if not spec.get("regex")}
    if name == "digits":
        dtypes |= {f"pixel_{down}_{right}": "float64" for down in range(2) for right in range(2)}
    return ModelSignature(inputs=describe_inputs(schema, dtypes, (), [TARGETS[name]]))


def accepts_as_training(checker: PanderaChecker, row: dict[str, Any], signature: ModelSignature) -> bool:
    found = checker.check(table_of(row, signature))
    return not found.structural and len(found.valid) == 1


def accepts_as_service(schema: PydanticRows, row: dict[str, Any]) -> bool:
    try:
        schema.parse_json(json.dumps({"records": [row]}).encode())
    except RowsRejected:
        return False
    return True


@settings(max_examples=60, suppress_health_check=slow_to_draw)
@given(data=st.data())
def test_any_schema_accepts_the_same_rows_either_way(data: st.DataObject) -> None:
    """Of random columns, types, checks and notations, Pandera and the service accept the same rows."""
    signature = data.draw(signatures())
    checker, schema = PanderaChecker(signature.to_pandera()), PydanticRows(signature)
    for row in data.draw(st.lists(rows(signature), min_size=1, max_size=3)):
        assert accepts_as_training(checker, row, signature) == accepts_as_service(schema, row), row


@pytest.mark.parametrize("name", TARGETS)
def test_every_schema_of_ours_accepts_the_same_rows_either_way(name: str) -> None:
    """A good row with one value replaced by one at, beside or far from its bounds."""
    signature = signature_of(name)
    checker, schema = PanderaChecker(signature.to_pandera()), PydanticRows(signature)
    good = {column: GOOD.get(name, {}).get(column, 1) for column in signature.names}
    assert accepts_as_training(checker, good, signature)
    assert accepts_as_service(schema, good)

    @settings(max_examples=15, suppress_health_check=slow_to_draw)
    @given(data=st.data())
    def one_value_differs(data: st.DataObject) -> None:
        drawn = data.draw(rows(signature))
        changed = data.draw(st.sampled_from(signature.names))
        row = {**good, **{key: value for key, value in drawn.items() if key in (changed, "more")}}
        if changed not in drawn:
            del row[changed]
        assert accepts_as_training(checker, row, signature) == accepts_as_service(schema, row), row

    one_value_differs()
