"""What a model takes and gives: the columns of its raw rows with their checks, and its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from headrace.core.schema_keys import CHECK_NAMES, COLUMN_KEYS

Task = Literal["classification", "regression"]
Private = Literal["hash", "leave_out"]

PRIVATE: tuple[Private, ...] = ("hash", "leave_out")
# Hold for a table and not for one row: a request cannot be held to them.
TABLE_CHECKS = ("unique_values_eq", "one_sample_ttest", "two_sample_ttest")
_OPTIONS = ("ignore_na", "raise_warning", "n_failure_cases", "error", "name")
_NO_CHECKS = (*COLUMN_KEYS, *TABLE_CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """One column of the raw rows that the model reads.

    `dtype` is pandas' name of it (`float64`, `str`, `category`, `datetime64[ms, UTC]`), `checks` holds
    Pandera's names of checks with their arguments, and `private` says what a log may keep of it.
    """

    name: str
    dtype: str
    nullable: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)
    private: Private | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSignature:
    """Input and output schema of a model.

    `ignored` are columns of the training table that the model does not read: a row may have them.
    `dtype` is that of the predictions; `classes` are the labels in the order of the probabilities, and
    `probabilities` tells whether it gives any.
    """

    inputs: tuple[InputColumn, ...]
    ignored: tuple[str, ...] = ()
    task: Task = "regression"
    dtype: str = "float64"
    classes: tuple[str | int | float | bool, ...] = ()
    probabilities: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.inputs)

    def to_pandera(self) -> dict[str, Any]:
        """Return the inputs as a schema config, to which unknown columns are an error."""
        columns = {
            column.name: {"dtype": column.dtype, "nullable": column.nullable, "checks": dict(column.checks)}
            for column in self.inputs
        }
        return {"schema_type": "dataframe", "columns": columns, "strict": True}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSignature:
        inputs = tuple(InputColumn(**column) for column in data["inputs"])
        lists = {"ignored": tuple(data["ignored"]), "classes": tuple(data["classes"])}
        return cls(**{**data, "inputs": inputs, **lists})


def describe_inputs(
    schema: Mapping[str, Any] | None, dtypes: Mapping[str, str], nullable: Iterable[str], leave: Sequence[str]
) -> tuple[InputColumn, ...]:
    """Say what each column must hold: by the schema that training used, else by what it saw.

    Args:
        schema: A schema config in Pandera's words; None or {} where training checked nothing.
        dtypes: The training table's columns with pandas' names of their types, in its order.
        nullable: Columns with missing values there; counts where the schema does not know a column.
        leave: Columns that the model does not read.
    """
    missing = set(nullable)
    known = dict((schema or {}).get("columns") or {})
    patterns = {name: column for name, column in known.items() if (column or {}).get("regex")}
    found = []
    for name, dtype in dtypes.items():
        if name in leave:
            continue
        column = known.get(name)
        if column is None or column.get("regex"):
            column = next((c for p, c in patterns.items() if re.fullmatch(p, name)), None)
        if column is None:
            found.append(InputColumn(name=name, dtype=dtype, nullable=name in missing))
        else:
            found.append(_of_schema(name, dtype, column))
    return tuple(found)


def _of_schema(name: str, dtype: str, column: Mapping[str, Any]) -> InputColumn:
    return InputColumn(
        name=name,
        dtype=str(column.get("dtype") or dtype),
        nullable=bool(column.get("nullable", False)),
        checks=_checks(column),
        private=_private(column),
        description=str(column.get("description") or ""),
    )


def _checks(column: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checks of a column that Pandera holds rows to, however the schema writes them.

    Where there are `checks`, it passes over those that stand beside the keys.
    """
    inside = column.get("checks")
    if inside is None:
        beside = {key: value for key, value in column.items() if key not in _NO_CHECKS and key in CHECK_NAMES}
        return {name: _apart(value) for name, value in beside.items()}
    if not isinstance(inside, Mapping):
        inside = {str((one.get("options") or {}).get("check_name")): one for one in inside}
    return {name: value for name, value in inside.items() if name not in TABLE_CHECKS}


def _apart(value: Any) -> Any:
    """Set the options of a check beside the keys apart: there they stand among its arguments."""
    if not isinstance(value, Mapping):
        return value
    args = {key: one for key, one in value.items() if key not in (*_OPTIONS, "options")}
    options = {key: one for key, one in value.items() if key in _OPTIONS}
    return {**args, "options": options} if options else args


def _private(column: Mapping[str, Any]) -> Private | None:
    """Return what `metadata: {private: ...}` says; true means to leave the column out."""
    said = (column.get("metadata") or {}).get("private")
    if said is None or said is False:
        return None
    return "hash" if said == "hash" else "leave_out"
