"""Tell what is wrong with a request: all of it counted, some of it named, in the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any, NoReturn

from pydantic_core import from_json

from headrace.adapters.schema_pydantic.column import Column, Source, WrongValue
from headrace.adapters.schema_pydantic.json_body import NotStrict, read_strictly
from headrace.adapters.schema_pydantic.look import look_at
from headrace.adapters.schema_pydantic.words import (
    missing_column,
    of_request,
    shorten,
    show,
    unequal,
    unknown_column,
)
from headrace.core.model_signature import ModelSignature
from headrace.errors import RowProblem, RowsRejected

SHOWN = 20
_BODY = '{"records": [{column: value}, ...]} or {"columns": {column: [values]}}'
_KEYS = ("records", "columns", "probabilities")


class Refusal:
    """Gathers problems; texts are made only for those that are shown."""

    def __init__(self) -> None:
        self.total = 0
        self._problems: list[RowProblem] = []
        self._wrong: list[tuple[int, int, Column, Any, Source]] = []  # row, order of column

    @property
    def full(self) -> bool:
        return len(self._problems) >= SHOWN

    def add(self, problem: RowProblem) -> None:
        self.total += 1
        if not self.full:
            self._problems.append(problem)

    def add_column(self, column: Column, rows: Sequence[int], values: Any, source: Source) -> None:
        """Take the rows of a column that are wrong, in ascending order."""
        self.total += len(rows)
        turn = len(self._wrong)
        self._wrong += [(row, turn, column, values[row], source) for row in rows[:SHOWN]]

    def raise_if_any(self) -> None:
        if not self.total:
            return
        first = nsmallest(SHOWN, self._wrong, key=lambda one: one[:2])
        found = [column.explain(row, value, source) for row, _, column, value, source in first]
        ordered = sorted([*self._problems, *found], key=lambda one: -1 if one.row is None else one.row)
        raise RowsRejected(ordered[:SHOWN], self.total)


def refuse_body(
    body: bytes, columns: Sequence[Column], known: Sequence[str], signature: ModelSignature, max_rows: int
) -> NoReturn:
    """Find what is wrong with a body that was refused. Raises `RowsRejected`, always."""
    refusal = Refusal()
    try:
        data = from_json(body)
    except ValueError as error:
        refusal.add(of_request(f"no JSON ({shorten(str(error))})", _BODY))
    else:
        _of_data(data, refusal, columns, known, signature, max_rows)
        if not refusal.total:
            try:
                read_strictly(body)
            except NotStrict as error:
                refusal.add(error.problem)
        if not refusal.total:  # no rule of ours: what the fast check refused, it has to explain
            refusal.add(of_request("a request that the schema refuses", _BODY))
    refusal.raise_if_any()
    raise AssertionError


def _of_data(
    data: Any,
    refusal: Refusal,
    columns: Sequence[Column],
    known: Sequence[str],
    signature: ModelSignature,
    max_rows: int,
) -> None:
    if not isinstance(data, dict):
        refusal.add(of_request(show(data), _BODY))
        return
    for key in data:
        if key not in _KEYS:
            refusal.add(of_request(f"the key {shorten(repr(key))}", f"only {', '.join(_KEYS)}"))
    asked = data.get("probabilities", False)
    if type(asked) is not bool:
        refusal.add(of_request(f"probabilities: {show(asked)}", "probabilities: true or false"))
    elif asked and not signature.probabilities:
        refusal.add(of_request("probabilities: true", "no probabilities: this model gives none"))
    if ("records" in data) is ("columns" in data):
        refusal.add(of_request("both records and columns" if "records" in data else "no rows", _BODY))
    elif "records" in data:
        _of_records(data["records"], refusal, columns, known, max_rows)
    else:
        _of_columns(data["columns"], refusal, columns, known, max_rows)


def _of_records(
    records: Any, refusal: Refusal, columns: Sequence[Column], known: Sequence[str], max_rows: int
) -> None:
    if not isinstance(records, list):
        refusal.add(of_request(f"records: {show(records)}", "records: a list of objects"))
        return
    if not _fits(len(records), refusal, max_rows):
        return
    names, allowed = {column.name for column in columns}, set(known)
    whole = [
        at
        for at, one in enumerate(records)
        if type(one) is dict and names <= one.keys() and one.keys() <= allowed
    ]
    for column in columns:
        values = [records[at][column.name] for at in whole]
        _, wrong = look_at(column, values, "json")
        # Positions among the whole rows become rows of the request again.
        rows = {whole[at]: values[at] for at in wrong}
        refusal.add_column(column, list(rows), rows, "json")
    for at in sorted(set(range(len(records))) - set(whole)):
        _of_record(at, records[at], refusal, columns, known)


def _of_record(
    row: int, record: Any, refusal: Refusal, columns: Sequence[Column], known: Sequence[str]
) -> None:
    """Tell what lacks and what is too much in a row; its values too, while there is room to show them."""
    if not isinstance(record, dict):
        wanted = "an object with a value for each column"
        refusal.add(RowProblem(row=row, column=None, found=show(record), wanted=wanted))
        return
    names = [column.name for column in columns]
    for name in record:
        if name not in known:
            refusal.add(unknown_column(row, name, names))
    for column in columns:
        if column.name not in record:
            refusal.add(missing_column(row, column.name, column.wanted))
        elif not refusal.full:
            try:
                column.take(record[column.name], "json")
            except WrongValue:
                refusal.add(column.explain(row, record[column.name], "json"))


def _of_columns(
    whole: Any, refusal: Refusal, columns: Sequence[Column], known: Sequence[str], max_rows: int
) -> None:
    if not isinstance(whole, dict):
        refusal.add(of_request(f"columns: {show(whole)}", "columns: an object with a list for each column"))
        return
    names = [column.name for column in columns]
    lengths: dict[str, int] = {}
    for name, values in whole.items():
        if name not in known:
            refusal.add(unknown_column(None, name, names))
        elif not isinstance(values, list):
            refusal.add(RowProblem(row=None, column=name, found=show(values), wanted="a list of values"))
        else:
            lengths[name] = len(values)
    for column in columns:
        if column.name not in whole:
            refusal.add(missing_column(None, column.name, column.wanted))
    if len(set(lengths.values())) > 1:
        refusal.add(unequal(lengths))
    elif lengths:
        _fits(max(lengths.values()), refusal, max_rows)
    if refusal.total:
        return
    for column in columns:
        _, wrong = look_at(column, whole[column.name], "json")
        refusal.add_column(column, wrong, whole[column.name], "json")


def _fits(rows: int, refusal: Refusal, max_rows: int) -> bool:
    if not 0 < rows <= max_rows:
        refusal.add(of_request(f"{rows} rows", f"from 1 to {max_rows} rows"))
        return False
    return True


def missing_or_unknown(
    columns: Mapping[str, Any], wanted: Sequence[Column], known: Sequence[str]
) -> list[RowProblem]:
    """Tell what is wrong with a table before any row is looked at."""
    names = [column.name for column in wanted]
    problems = [unknown_column(None, str(name), names) for name in columns if name not in known]
    problems += [
        missing_column(None, column.name, column.wanted) for column in wanted if column.name not in columns
    ]
    lengths = {str(name): len(values) for name, values in columns.items()}
    return [*problems, unequal(lengths)] if len(set(lengths.values())) > 1 else problems
