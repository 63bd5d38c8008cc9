"""A schema is checked against Pandera's words, which are written down so that loading stays fast."""

from __future__ import annotations

import pandera.pandas as pa
import pytest
import yaml
from pandera.api.checks import Check
from pandera.engines.pandas_engine import Engine
from pandera.io.pandas_io import to_yaml

from headrace.config.check_schema import check_schema
from headrace.core.schema_keys import CHECK_NAMES

TYPES = (
    "float64 Int64 bool boolean str object category float128 longdouble intp string[pyarrow] int64[pyarrow] "
    "double[pyarrow] date32[day][pyarrow] datetime64[ns] period[D] interval[int64] Sparse[int] U10 f8 O"
)


def test_the_written_checks_are_pandera_s() -> None:
    """No check is written down that Pandera does not have, and it has none for tables besides."""
    of_arrays = {"is_monotonic", "ndim"}
    others = {name for name in Check.CHECK_FUNCTION_REGISTRY if name not in CHECK_NAMES} - of_arrays
    assert set(CHECK_NAMES) <= {*Check.CHECK_FUNCTION_REGISTRY}
    assert all(name.startswith(("cf_", "has_", "dim_", "no_duplicates_in_coord")) for name in others)


@pytest.mark.parametrize("dtype", [*TYPES.split(), "datetime64[ms, UTC]"])
def test_a_type_that_pandera_takes_is_not_refused(dtype: str) -> None:
    """Types with brackets, of pyarrow, of numpy and of pandas are no misspelt ones."""
    assert Engine.dtype(dtype)
    assert list(check_schema("schema", {"columns": {"a": {"dtype": dtype}}})) == []


def test_a_type_that_a_library_may_bring_is_left_to_pandera() -> None:
    """What is near no known type is no typo."""
    assert list(check_schema("schema", {"columns": {"a": {"dtype": "geometry"}}})) == []


def test_a_schema_as_pandera_writes_it_is_right() -> None:
    """Keys, types and checks of `to_yaml` all pass."""
    column = pa.Column("float64", [pa.Check.in_range(0, 1), pa.Check.gt(0)], nullable=True)
    written = to_yaml(pa.DataFrameSchema({"a": column}, coerce=True))
    assert list(check_schema("schema", yaml.safe_load(str(written)))) == []
