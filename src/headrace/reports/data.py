"""The section on data: what the columns hold, and what changed since the last run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headrace.core.record import RunRecord
from headrace.core.report import Block, Cell, Table, Text
from headrace.reports.artifacts import Artifacts
from headrace.reports.numbers import percent, sparkline, tell

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("valid", "train", "raw")  # of these artifacts the first that there is, is the data of a run
COLUMNS_AT_MOST = 60
BARS = 12  # of a distribution: a table has many, and a phone is narrow
NAMED_AT_MOST = 3  # categories of a column

_METHODS = {
    "ks": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein / standard deviation",
    "chi_squared": "chi-squared",
    "jensen_shannon": "Jensen-Shannon",
}


def describe_data(own: Artifacts, last: Artifacts | None) -> tuple[Block, ...]:
    """Return the profile of a run's table and its drift against the last run's; () where it has no table."""
    name = find_table(own)
    if name is None:
        return ()
    table = own.table(name)
    if table is None:
        return ()
    return (*profile_blocks(table, name), *_against_last(own, last, name, table))


def find_table(artifacts: Artifacts) -> str | None:
    """Return the name of the artifact that is a run's data, None where it has no table."""
    tables = artifacts.names("parquet")
    return next((name for name in (*TABLES, *tables) if name in tables), None)


def find_last(record: RunRecord, newest_first: Iterable[RunRecord]) -> RunRecord | None:
    """Return the newest older run of the same experiment and pipeline that got as far as its data."""
    for other in newest_first:
        same = (other.experiment, other.pipeline) == (record.experiment, record.pipeline)
        made = {name for stage in other.stages for name in stage.outputs}
        if other.started < record.started and other.id != record.id and same and made.intersection(TABLES):
            return other
    return None


def profile_blocks(table: pd.DataFrame, name: str) -> tuple[Block, ...]:
    """Return what the columns of a table hold, one row each."""
    from headrace.stages.profile import profile_table

    found = profile_table(table, bins=BARS)
    columns = found["columns"]
    rows = tuple(_profile_row(column, found["rows"]) for column in columns[:COLUMNS_AT_MOST])
    caption = (
        f"{found['rows']:,} rows of {len(columns)} columns (artifact {name}). Of numbers: median, and in "
        "brackets the 5 % and the 95 % quantile. Bars are of equal width between minimum and maximum, or "
        "the most frequent values."
    )
    titles = ("column", "type", "missing", "distinct", "values", "distribution")
    return (Table(columns=titles, rows=rows, caption=caption, more=max(len(columns) - COLUMNS_AT_MOST, 0)),)


def _profile_row(column: Mapping[str, Any], rows: int) -> tuple[Cell, ...]:
    missing = percent(column["missing"] / rows) if column["missing"] else ""
    return (
        column["name"],
        column["dtype"],
        missing,
        column["distinct"],
        _values(column, rows),
        _distribution(column),
    )


def _values(column: Mapping[str, Any], rows: int) -> str:
    quantiles = column.get("quantiles")
    if column["kind"] == "time":
        return f"{quantiles['0']} to {quantiles['1']}" if quantiles else ""
    if column["kind"] == "number":
        if not quantiles:
            return "nothing finite" if column.get("infinite") else ""
        more = f", {column['infinite']:,} infinite" if column["infinite"] else ""
        return f"{_plain(quantiles['0.5'])} [{_plain(quantiles['0.05'])}, {_plain(quantiles['0.95'])}]{more}"
    known = rows - column["missing"]
    named = [f"{one['value']} {percent(one['count'] / known)}" for one in column["top"][:NAMED_AT_MOST]]
    more = column["distinct"] - len(named)
    return ", ".join(named) + (f", and {more:,} more" if more > 0 else "")


def _plain(value: float) -> str:
    """Say a number without commas: a year is no amount."""
    return f"{value:.4g}" if abs(value) < 10_000 else tell(round(value))


def _distribution(column: Mapping[str, Any]) -> str:
    if histogram := column.get("histogram"):
        return sparkline(histogram["counts"])
    return sparkline([one["count"] for one in column.get("top", ())])


# --- what changed -----------------------------------------------------------------------------


def _against_last(own: Artifacts, last: Artifacts | None, name: str, table: pd.DataFrame) -> Iterator[Block]:
    before = last.find(name) if last is not None else None
    if last is None or before is None:
        yield Text("There is no earlier run of this experiment to compare the data with.")
        return
    now = own.find(name)
    if now is not None and now.digest == before.digest:
        yield Text(f"The same data as in run {last.record.id}, to the bit.")
        return
    reference = last.table(name)
    if reference is None:
        yield Text(f"The data of the last run, {last.record.id}, is gone: {'; '.join(last.problems)}")
        return
    yield from drift_blocks(reference, table, f"run {last.record.id}")


def drift_blocks(reference: pd.DataFrame, current: pd.DataFrame, against: str) -> tuple[Block, ...]:
    """Return what drifted between two tables, what drifted most first; `against` names the reference."""
    from headrace.stages.drift import find_drift

    found = find_drift(reference, current)
    drifted = [column["name"] for column in found["columns"] if column["drifted"]]
    before, now = found["rows"]
    verb = "drifts" if len(drifted) == 1 else "drift"
    said = f"{', '.join(drifted)} {verb}" if drifted else "no column drifts"
    text = f"Against {against} ({before:,} rows then, {now:,} now) {said}."
    order = sorted(found["columns"], key=lambda column: (not column["drifted"], column["drifted"] is None))
    rows = tuple(_drift_row(column) for column in order[:COLUMNS_AT_MOST])
    caption = (
        "A test decides on up to 1,000 rows (drift: p below the threshold), a distance on more "
        "(drift: the distance is not below it). Each test errs once in twenty columns that did not change."
    )
    titles = ("column", "drift", "measure", "value", "p", "threshold", "missing then", "missing now", "why")
    more = max(len(order) - COLUMNS_AT_MOST, 0)
    return (Text(text), Table(columns=titles, rows=rows, caption=caption, more=more))


def _drift_row(column: Mapping[str, Any]) -> tuple[Cell, ...]:
    missing = [percent(share) if share else "" for share in column["missing"] or (0.0, 0.0)]
    return (
        column["name"],
        {True: "yes", False: "no", None: "not compared"}[column["drifted"]],
        _METHODS.get(column["method"], ""),
        column["value"],
        column["p_value"],
        column["threshold"],
        *missing,
        column["why"] or "",
    )
