"""Check tables with Pandera; schemas are its own serialisation format, or a `DataFrameModel` by path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.core.ports import SchemaFindings
from headrace.core.schema_keys import COLUMN_KEYS, SCHEMA_KEYS
from headrace.errors import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from pandera.api.pandas.container import DataFrameSchema

FAILURE_COLUMNS = ["column", "check", "index", "value"]


class PanderaChecker:
    """Checks with Pandera, lazily. Building one imports Pandera (half a second more than pandas).

    Args:
        schema: What `pandera.io.to_yaml` writes, as a mapping; or `{model: package.module.Model}`,
            the dotted path of a `pandera.pandas.DataFrameModel`; or that path alone.

    Raises:
        ConfigError: Every column, check and key of the schema that Pandera cannot use.
    """

    def __init__(self, schema: Mapping[str, Any] | str) -> None:
        path = schema if isinstance(schema, str) else schema.get("model")
        self._schema = _from_model(str(path)) if path else _from_mapping(_plain(schema))

    def check(self, table: pd.DataFrame) -> SchemaFindings:
        """Check every column and row. A row that fails is rejected whole; the rest is checked again.

        The second pass is what tells a real structural failure from a consequence: one bad value
        keeps a whole column from its type, until its row is gone.
        """
        import numpy as np
        import pandas as pd

        # Positions name rows even where the index repeats.
        rows = table if self._schema.index is not None else table.set_axis(pd.RangeIndex(len(table)))
        keep = np.ones(len(table), dtype=bool)
        found: list[pd.DataFrame] = []
        structural: list[str] = []
        while True:
            valid, failures = self._validate(rows if keep.all() else rows[keep])
            at_rows = failures[failures["index"].notna()]
            # A dropped row can break a rule over many rows (unique combinations), so look again.
            if at_rows.empty:
                structural = [_structure(one) for one in failures.to_dict("records")]
                break
            found.append(at_rows)
            keep &= ~rows.index.isin(at_rows["index"])
            if not keep.any():
                valid = rows[keep]
                break
        failures = pd.concat(found, ignore_index=True) if found else failures[failures["index"].notna()]
        if self._schema.index is None:
            at = failures["index"].to_numpy(dtype=int)
            failures = failures.assign(index=table.index[at])
            valid = valid.set_axis(table.index[keep]) if not structural else valid
        return SchemaFindings(
            valid=table.iloc[:0] if structural else valid,
            rejected=table[~keep],
            failures=failures,
            structural=tuple(dict.fromkeys(structural)),
        )

    def _validate(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the table with types coerced, and the failures: none means that it is good."""
        import pandas as pd
        from pandera.errors import SchemaErrors

        try:
            return self._schema.validate(rows, lazy=True), pd.DataFrame(columns=FAILURE_COLUMNS)
        except SchemaErrors as errors:
            cases = errors.failure_cases
        named = cases["schema_context"] == "Column"
        columns = cases["column"].where(named & cases["column"].notna(), "(table)")
        failures = pd.DataFrame(
            {
                "column": columns,
                "check": cases["check"],
                "index": cases["index"],
                "value": cases["failure_case"],
            }
        )
        # Checks over whole rows list a row once for each of its columns.
        return rows, failures.drop_duplicates(subset=["column", "check", "index"])


def describe_schema(schema: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return a schema as what `pandera.io.to_yaml` writes, as a mapping; {} for none.

    Of a `DataFrameModel` checks that have no name in Pandera are left out: nothing can be said of them.
    """
    if schema is None:
        return {}
    path = schema if isinstance(schema, str) else schema.get("model")
    if not path:
        return dict(_plain(schema))
    from pandera.io.pandas_io import serialize_schema

    told: dict[str, Any] = serialize_schema(_from_model(str(path)))
    return told


def _structure(failure: Mapping[Any, Any]) -> str:
    if failure["check"] == "column_in_dataframe":
        return f"column {failure['value']} is missing"
    if failure["check"] == "column_in_schema":
        return f"column {failure['value']} is not in the schema"
    where = "the table" if failure["column"] == "(table)" else f"column {failure['column']}"
    return f"{where}: {failure['check']} fails (found {failure['value']})"


def _plain(value: Any) -> Any:
    """Copy nested config into plain dicts and lists: Pandera tests for these, and pops keys."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return [_plain(inner) for inner in value]


def _from_mapping(spec: dict[str, Any]) -> DataFrameSchema:
    from pandera.errors import SchemaDefinitionError
    from pandera.io.pandas_io import deserialize_schema

    problems = _key_problems(spec)
    columns = spec.get("columns") or {}
    named = columns.items() if isinstance(columns, dict) else ((str(one.get("name")), one) for one in columns)
    for name, column in named:
        problems += _column_problems(name, column)
    if not problems:
        try:
            schema: DataFrameSchema = deserialize_schema(_plain(spec))
            return schema
        except (AttributeError, TypeError, ValueError, KeyError, SchemaDefinitionError) as error:
            problems.append(Problem("schema", f"Pandera cannot use it: {error}"))
    raise ConfigError(problems)


def _key_problems(spec: dict[str, Any]) -> list[Problem]:
    """Find misspelt keys; Pandera itself passes over them in silence."""
    # Checks over whole rows may stand beside the keys, under their own names.
    known = [*SCHEMA_KEYS, *_check_names()]
    problems = [
        Problem(f"schema.{key}", "no such key", did_you_mean(key, known)) for key in spec if key not in known
    ]
    if not spec.get("columns"):
        problems.append(Problem("schema.columns", "no columns", "name each column that the table must have"))
    return problems


def _column_problems(name: str, column: Any) -> list[Problem]:
    from pandera.io.pandas_io import deserialize_schema

    where = f"schema.columns.{name}"
    if not isinstance(column, dict):
        return [Problem(where, f"{column!r} is no mapping", "such as `dtype: float64`")]
    known = [*COLUMN_KEYS, *_check_names()]
    checks = column.get("checks") or {}
    names = list(checks) if isinstance(checks, dict) else [_check_name(one) for one in checks]
    problems = [
        Problem(f"{where}.{key}", "no such key or check", did_you_mean(key, known))
        for key in column
        if key not in known
    ] + [
        Problem(f"{where}.checks.{check}", "no such check", did_you_mean(check, _check_names()))
        for check in names
        if check not in _check_names()
    ]
    if problems:
        return problems
    try:
        deserialize_schema({"columns": {name: _plain(column)}})
    except Exception as error:  # engines raise what their vendors raise: numpy, pandas, pyarrow
        return [Problem(where, f"Pandera cannot use it: {error}", "see dtype and the arguments of checks")]
    return []


def _check_name(check: Any) -> str:
    options = check.get("options") if isinstance(check, dict) else None
    return str((options or {}).get("check_name", check))


def _check_names() -> list[str]:
    from pandera.api.checks import Check

    return [*Check.CHECK_FUNCTION_REGISTRY, *Check.REGISTERED_CUSTOM_CHECKS]


def _from_model(path: str) -> DataFrameSchema:
    module, _, name = path.rpartition(".")
    try:
        model = getattr(import_module(module), name)
    except (ImportError, ValueError) as error:
        hint = "give a dotted path that Python can import: package.module.Model"
        raise ConfigError.one("schema.model", f"cannot import {path}: {error}", hint) from error
    except AttributeError as error:
        hint = did_you_mean(name, vars(import_module(module)), f"{module}.{{}}")
        raise ConfigError.one("schema.model", f"{module} has no {name}", hint) from error
    if not hasattr(model, "to_schema"):
        raise ConfigError.one("schema.model", f"{path} is no DataFrameModel", "inherit from pandera.pandas'")
    schema: DataFrameSchema = model.to_schema()
    return schema
