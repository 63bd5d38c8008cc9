"""Where a run's data came from, what it had to look like, and which rows did not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.core.record import RunRecord
from headrace.core.report import Block, Cell, Facts, Table
from headrace.reports.artifacts import Artifacts
from headrace.reports.numbers import percent

FAILURES_AT_MOST = 30
COLUMNS_AT_MOST = 60
SHORT = 12  # digits of an id


def source_blocks(own: Artifacts) -> Iterator[Block]:
    record = own.record
    rows: list[tuple[str, Cell]] = []
    dataset = record.config.get("dataset") or {}
    if dataset.get("name"):
        rows.append(("data set", dataset["name"]))
    for stage in record.stages:
        for told in stage.sources.values():
            if not told["uri"].startswith("model:"):
                rows.append(("source", f"{told['uri']} ({told['bytes']:,} bytes)"))
    if record.source.get("commit"):
        rows.append(("lake", f"{record.source.get('ref')} at {str(record.source['commit'])[:SHORT]}"))
    validation = own.document("validation")
    if validation:
        rejected = f"{validation.get('rejected', 0):,}"
        if share := validation.get("share"):
            rejected += f" ({percent(share)})"
        rows.append(("rows read", validation.get("rows")))
        rows.append(("rows rejected", rejected))
    if rows:
        yield Facts(tuple(rows))
    failures = validation.get("failures") or []
    if failures:
        shown = tuple(_failure(one) for one in failures[:FAILURES_AT_MOST])
        caption = f"Checks that rows failed; {validation.get('on_invalid')} was asked for."
        more = max(len(failures) - FAILURES_AT_MOST, 0)
        yield Table(
            columns=("column", "check", "rows", "for example"), rows=shown, caption=caption, more=more
        )


def _failure(one: Mapping[str, Any]) -> tuple[Cell, ...]:
    examples = ", ".join(f"row {e['row']}: {e['value']}" for e in one.get("examples", ())[:3])
    return (one.get("column"), one.get("check"), one.get("count"), examples)


def schema_blocks(record: RunRecord) -> Iterator[Block]:
    schema = record.config.get("schema") or {}
    columns = schema.get("columns") or {}
    if not columns:
        return
    rows = tuple(_schema_row(name, about or {}) for name, about in list(columns.items())[:COLUMNS_AT_MOST])
    yield Table(
        columns=("column", "type", "may be missing", "checks"),
        rows=rows,
        caption="The schema that every row is held against.",
        more=max(len(columns) - COLUMNS_AT_MOST, 0),
    )


def _schema_row(name: str, about: Mapping[str, Any]) -> tuple[Cell, ...]:
    plain = ("dtype", "nullable", "description", "title", "required", "coerce")
    checks = "; ".join(
        f"{key.replace('_', ' ')} {_terse(value)}" for key, value in about.items() if key not in plain
    )
    return (name, str(about.get("dtype") or ""), bool(about.get("nullable", False)), checks)


def _terse(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"min_value", "max_value"}:
            return f"{_terse(value['min_value'])} to {_terse(value['max_value'])}"
        return ", ".join(f"{key} {_terse(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_terse, value))
    return str(value)  # without commas: a year is no amount
