"""The report of a run: what it came to, on which data, by which model, and how to have it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headrace.core.gate_line import figure, subject
from headrace.core.picture import picture_of_run
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord
from headrace.core.report import (
    Block,
    Cell,
    Facts,
    Figure,
    Picture,
    Report,
    Row,
    Section,
    Table,
    Text,
    Verdict,
    keep,
    under,
)
from headrace.reports.artifacts import Artifacts
from headrace.reports.data import describe_data, find_last
from headrace.reports.lineage import command_blocks, lineage_blocks
from headrace.reports.model_card import model_card
from headrace.reports.numbers import tell
from headrace.reports.source import schema_blocks, source_blocks

ERRORS_AT_MOST = 20  # rows of the worst errors

# What is right, how sure the model is, and why it says so; a user's own figures come after.
ORDER = (
    "confusion", "residuals", "roc", "precision_recall", "calibration", "learning_curve", "importance",
    "partial_dependence",
)  # fmt: skip


def build(record: RunRecord, lake: LakeReader, newest_first: Iterable[RunRecord] = ()) -> Report:
    """Say what a run came to. What its pipeline did not make is left out.

    Args:
        record: The run, of any state.
        lake: Where its artifacts are.
        newest_first: Other runs; the data is compared with that of the last one of the same experiment.
    """
    own = Artifacts(record, lake)
    before = find_last(record, newest_first)
    last = Artifacts(before, lake) if before is not None else None
    sections = keep(
        Section("Summary", tuple(_summary(record))),
        Section("Data", tuple(_data(own, last))),
        Section("Pipeline", tuple(_pipeline(record))),
        Section("Model card", tuple(model_card(own))),
        Section("Figures", tuple(_figures(own))),
        Section("Worst errors", tuple(_errors(own))),
        Section("Lineage", tuple(lineage_blocks(record))),
        Section("Reproduce", tuple(command_blocks(record))),
        Section("What is missing here", tuple(Text(problem) for problem in own.problems)),
    )
    return Report(
        title=f"Run of {record.experiment}",
        subtitle=f"{record.id}, started {_day(record.started)}",
        sections=sections,
    )


def _data(own: Artifacts, last: Artifacts | None) -> Iterator[Block]:
    yield from source_blocks(own)
    yield from under("Schema", schema_blocks(own.record))
    yield from under("Profile and drift", describe_data(own, last))


def _day(time: str) -> str:
    """Say a time of a record as a person reads it; one of another zone stays as it is."""
    return time.replace("T", " ").replace("+00:00", " UTC")


# --- summary ----------------------------------------------------------------------------------


def _summary(record: RunRecord) -> Iterator[Block]:
    yield _verdict(record)
    rows: list[tuple[str, Cell]] = [
        ("experiment", f"{record.experiment}, pipeline {record.pipeline}"),
        ("took", f"{record.seconds:,.1f} s"),
        ("seed", record.seed),
    ]
    if record.sweep:
        rows.append(("sweep", f"{record.sweep.get('id')}, job {record.sweep.get('trial')}"))
    if record.metrics:
        rows.append(("metrics", ", ".join(f"{name} {tell(value)}" for name, value in record.metrics.items())))
    yield Facts(tuple(rows))
    checks = (record.gate or {}).get("checks") or []
    if checks:
        cells = [_check(check) for check in checks]
        cells.sort(key=lambda row: row[3] == "passed")
        passed = sum(row[3] == "passed" for row in cells)
        caption = f"The gate: {passed} of {len(cells)} checks passed."
        columns = ("check", "found", "wanted", "verdict", "note")
        yield Table(columns=columns, rows=tuple(cells), caption=caption).without_empty()


def _verdict(record: RunRecord) -> Verdict:
    if record.published:
        told = record.published
        return Verdict(f"Published as {told['model']} version {told['version']}, {told['alias']}.", "good")
    if record.already:
        told = record.already
        return Verdict(f"The same package as {told['model']} version {told['version']}, which stays.", "good")
    if record.state == "succeeded":
        return Verdict("Succeeded; nothing was to be published.", "good")
    # The table of checks tells what a gate found, in fewer digits.
    error = (record.error or "").partition("\n")[0] if record.state == "rejected" else record.error
    said = f": {error}" if error else "."
    return Verdict(f"{record.state.capitalize()}{said}", "neutral" if record.state == "pruned" else "bad")


def _check(check: Mapping[str, Any]) -> tuple[Cell, ...]:
    rule, wanted = str(check.get("rule")), figure(check.get("wanted"))
    wanted = f"{wanted} {rule}" if " " in rule else f"{rule} {wanted}"
    verdict = "passed" if check.get("passed") else "failed"
    found = check.get("found")
    shown = found if isinstance(found, int | float | str) else None
    return (
        subject(check),
        figure(shown) if shown is not None else None,
        wanted,
        verdict,
        check.get("detail"),
    )


# --- pipeline, figures, errors ----------------------------------------------------------------


def _pipeline(record: RunRecord) -> Iterator[Block]:
    if not record.stages:
        return
    yield Picture(picture_of_run(record))
    rows = tuple(
        (
            stage.name,
            stage.state,
            round(stage.seconds, 2) if stage.state == "ran" else None,
            stage.attempts if stage.attempts > 1 else None,
            stage.reason.partition("\n")[0],
        )
        for stage in record.stages
    )
    caption = "What each stage did, and why."
    columns = ("stage", "state", "seconds", "attempts", "why")
    yield Table(columns=columns, rows=rows, caption=caption).without_empty()


def _figures(own: Artifacts) -> Iterator[Block]:
    found: list[Figure] = []
    for name in own.names("figure"):
        drawn = own.figures(name)
        found += (drawn[one] for one in sorted(drawn, key=_place))
    if found:
        yield Row(tuple(found))


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _errors(own: Artifacts) -> Iterator[Block]:
    table = own.table("errors")
    if table is None or table.empty:
        return
    shown = table.head(ERRORS_AT_MOST)
    rows = tuple(tuple(_plain(value) for value in row) for row in shown.itertuples(index=False))
    caption = "The test rows on which the model errs most."
    columns = tuple(map(str, table.columns))
    yield Table(columns=columns, rows=rows, caption=caption, more=len(table) - len(shown))


def _plain(value: Any) -> Cell:
    """Return a cell of a table as what JSON knows; a missing one is None."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:
        return None
    return value if isinstance(value, int | float | str) else str(value)
