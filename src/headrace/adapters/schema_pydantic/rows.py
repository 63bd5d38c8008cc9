"""Hold requests and tables to a model's signature: the role `RowSchema`, with pydantic-core."""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic_core import ValidationError

from headrace.adapters.schema_pydantic.column import Column, Source
from headrace.adapters.schema_pydantic.frame import FrameMaker
from headrace.adapters.schema_pydantic.json_body import StrictReader
from headrace.adapters.schema_pydantic.json_schema import request_schema
from headrace.adapters.schema_pydantic.look import look_at
from headrace.adapters.schema_pydantic.refusal import SHOWN, Refusal, missing_or_unknown, refuse_body
from headrace.adapters.schema_pydantic.validator import build_validator
from headrace.adapters.schema_pydantic.words import of_request
from headrace.core.model_signature import ModelSignature
from headrace.core.serving import Checked, Columns, Request
from headrace.errors import RowProblem, RowsRejected


class PydanticRows:
    """Safe from several threads: nothing changes after building.

    Args:
        signature: What the model takes.
        max_rows: Of one request; tables of a batch have no limit.

    Raises:
        ConfigError: A column's type is none that a request can hold.
    """

    def __init__(self, signature: ModelSignature, max_rows: int = 100_000) -> None:
        self._signature = signature
        self._max_rows = max_rows
        self._columns = [Column(spec) for spec in signature.inputs]
        self._names = list(signature.names)
        self._known = [*self._names, *(name for name in signature.ignored if name not in self._names)]
        self._validator = build_validator(self._columns, signature.ignored, max_rows)
        self._reader = StrictReader(self._columns)
        self._frames = FrameMaker(self._columns)

    def parse_json(self, body: bytes) -> Request:
        """Read a request's bytes. Raises `RowsRejected` for anything that is none."""
        try:
            found = self._validator.validate_json(body)
        except ValidationError:
            self._refuse(body)
        records = found.get("records")
        whole = found.get("columns")
        if (records is None) is (whole is None):
            self._refuse(body)
        if records is not None:
            columns = {name: [record[name] for record in records] for name in self._names}
            rows = len(records)
        else:
            rows = len(next(iter(whole.values()))) if whole else 0
            if any(len(values) != rows for values in whole.values()):
                self._refuse(body)
            columns = {name: whole[name] for name in self._names}
        probabilities = found.get("probabilities", False)
        if probabilities and not self._signature.probabilities:
            self._refuse(body)
        if not self._reader.is_strict(body, found, columns):
            self._refuse(body)
        return Request(columns=columns, rows=rows, probabilities=probabilities)

    def check_columns(self, columns: Columns, as_text: bool = False) -> Checked:
        """Tell good rows from bad ones. A column that is missing or unknown leaves no row good."""
        problems = missing_or_unknown(columns, self._columns, self._known)
        if problems:
            return Checked(good=(), bad={}, problems=problems[:SHOWN])
        rows = len(next(iter(columns.values()))) if columns else 0
        source: Source = "text" if as_text else "table"
        bad: dict[int, list[RowProblem]] = {}
        for column in self._columns:
            values = columns[column.name]
            _, wrong = look_at(column, values, source)
            for at in wrong:
                bad.setdefault(at, []).append(column.explain(at, _at(values, at), source))
        if not bad:
            return Checked(good=range(rows), bad={})
        return Checked(good=[at for at in range(rows) if at not in bad], bad=dict(sorted(bad.items())))

    def require_columns(self, columns: Columns) -> Request:
        """Read the columns of a request. Raises `RowsRejected` where a row is bad, or none is there."""
        problems = missing_or_unknown(columns, self._columns, self._known)
        rows = len(next(iter(columns.values()))) if columns else 0
        if not problems and not 0 < rows <= self._max_rows:
            problems.append(of_request(f"{rows} rows", f"from 1 to {self._max_rows} rows"))
        if problems:
            raise RowsRejected(problems[:SHOWN], len(problems))
        refusal = Refusal()
        read: dict[str, list[Any]] = {}
        for column in self._columns:
            values = columns[column.name]
            found, wrong = look_at(column, values, "table")
            refusal.add_column(column, wrong, values, "table")
            if not wrong:
                read[column.name] = _as_values(found)
        refusal.raise_if_any()
        return Request(columns=read, rows=rows)

    def to_frame(self, columns: Columns, as_text: bool = False) -> Any:
        """Make the model's table of good rows. Raises `ValueError` where a value is none of its column."""
        return self._frames.make(columns, "text" if as_text else "table")

    def json_schema(self) -> dict[str, Any]:
        return request_schema(self._columns, self._signature, self._max_rows)

    def _refuse(self, body: bytes) -> NoReturn:
        refuse_body(body, self._columns, self._known, self._signature, self._max_rows)


def _at(values: Any, at: int) -> Any:
    """Return one value of a column as Python has it."""
    found = values[at]
    if hasattr(found, "as_py"):
        return found.as_py()
    return found.item() if hasattr(found, "dtype") and hasattr(found, "item") else found


def _as_values(found: Any) -> list[Any]:
    """Return what was read as a list of Python's own values; None is missing."""
    if not hasattr(found, "dtype"):
        return list(found)
    values: list[Any] = found.tolist()
    return [None if value != value else value for value in values] if found.dtype.kind == "f" else values
