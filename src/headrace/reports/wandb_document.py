"""A report for W&B: the same specification, with panels over the runs that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headrace.adapters.report_wandb import document as parts
from headrace.core.picture import to_text
from headrace.core.record import RunRecord
from headrace.core.report import (
    Block,
    Code,
    Facts,
    Figure,
    Folded,
    Picture,
    Report,
    Row,
    Section,
    Table,
    Text,
)
from headrace.core.secrets import is_secret, redact_text
from headrace.core.sweep import SweepRecord
from headrace.reports.markdown import section_markdown

Document = parts.Document

PICTURE_WIDTH = 100
METRICS_AT_MOST = 8  # in a chart of bars
PARAMS_AT_MOST = 12  # axes of parallel coordinates
LOGARITHMIC_FROM = 100.0  # the greatest value of a param over the least

ROWS = "Worst errors"  # the section that holds rows of the data
VALUES = ("for example", "values")  # columns of tables that hold values of the data
NAMES = "column"  # the column of tables that tell of the data's columns, a row for each


def document_of_run(name: str, report: Report, record: RunRecord) -> Document:
    """Say what a run came to: its figures, the report's text, and its artifacts."""
    panels = [parts.run_comparer(only_differences=False), *_bars([record])]
    return _document(name, report, [record], parts.grid([record.id], panels), [record.id])


def document_of_comparison(name: str, report: Report, records: Sequence[RunRecord]) -> Document:
    """Set runs side by side: what differs in config and figures, then the report's text."""
    panels = [parts.run_comparer(only_differences=True), *_bars(records)]
    ids = [record.id for record in records]
    return _document(name, report, records, parts.grid(ids, panels), ids)


def document_of_sweep(
    name: str, report: Report, sweep: SweepRecord, records: Sequence[RunRecord]
) -> Document:
    """Say what a sweep came to. `records` are its jobs' runs, the best first."""
    params = _params(sweep, records)
    panels = []
    if params and sweep.objective:
        panels.append(parts.parallel_coordinates(params, sweep.objective))
        panels += [parts.importance(metric) for metric in sweep.objective]
    panels.append(parts.run_comparer(only_differences=True))
    runs = parts.grid([record.id for record in records], panels, sweep.id)
    return _document(name, report, records, runs, [record.id for record in records[:1]])


def _document(
    name: str, report: Report, records: Sequence[RunRecord], runs: parts.Block, lineage: Sequence[str]
) -> Document:
    with_rows = all(_may_show_rows(record) for record in records)
    blocks = [runs]
    for section in report.sections:
        shown = _section(section, with_rows)
        if shown.blocks:
            text = redact_text("\n".join(section_markdown(shown)).strip())
            blocks += [parts.heading(section.title), parts.markdown(text)]
    blocks += [parts.lineage(run) for run in lineage]
    # Runs of one experiment have reports of one title: W&B's list of reports shows titles alone.
    title = parts.fit_title(report.title if name in report.title else f"{report.title} {name}")
    return Document(name=name, title=title, subtitle=report.subtitle, blocks=tuple(blocks))


def _may_show_rows(record: RunRecord) -> bool:
    """Tell whether rows of the data may go to W&B: the tracker's own setting says so."""
    return bool((record.config.get("tracker") or {}).get("tables", True))


# --- what W&B shows in another way --------------------------------------------------------------


def _section(section: Section, with_rows: bool) -> Section:
    if section.title == ROWS and not with_rows:
        return replace(section, blocks=())
    return replace(section, blocks=tuple(_shown(section.blocks, with_rows)))


def _shown(blocks: Sequence[Block], with_rows: bool) -> Iterator[Block]:
    """Yield blocks that W&B can show: its Markdown draws no Mermaid, and pictures need a run's files."""
    for block in blocks:
        match block:
            case Picture():
                yield Code("\n".join(to_text(block.pipeline, PICTURE_WIDTH)), "text")
            case Figure():
                yield _words_of([block])
            case Row():
                yield _words_of(block.figures)
            case Table():
                yield _without_secrets(block, with_rows)
            case Folded():  # W&B's Markdown folds nothing
                yield Text(block.title)
                yield from _shown(block.blocks, with_rows)
            case _:
                yield block


def _words_of(figures: Sequence[Figure]) -> Facts | Text:
    """Say what charts show. Their pictures are the run's artifacts, which are linked below."""
    rows = [(figure.title, " ".join(filter(None, (figure.alt, figure.caption)))) for figure in figures]
    return Facts(tuple(rows)) if rows else Text("")


def _without_secrets(table: Table, with_rows: bool) -> Table:
    """Leave out columns whose names say secret, whether their values stand below or beside the name."""
    kept = [
        at
        for at, name in enumerate(table.columns)
        if not is_secret(name) and (with_rows or name not in VALUES)
    ]
    rows = table.rows
    if NAMES in table.columns:
        at_name = table.columns.index(NAMES)
        rows = tuple(row for row in rows if not is_secret(str(row[at_name])))
    return replace(
        table,
        columns=tuple(table.columns[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in rows),
    )


# --- panels -------------------------------------------------------------------------------------


def _bars(records: Sequence[RunRecord]) -> list[parts.Block]:
    names = list(dict.fromkeys(name for record in records for name in record.metrics))
    return [parts.bars(names[:METRICS_AT_MOST])] if names else []


def _params(sweep: SweepRecord, records: Sequence[RunRecord]) -> dict[str, bool]:
    """Return the params that W&B knows by their place in the config, and whether each wants a logarithm."""
    found: dict[str, bool] = {}
    for key in dict.fromkeys(key for trial in sweep.trials for key in trial.params):
        name = next((name for record in records if (name := _name_in(record.config, key))), None)
        if name is not None:
            values = [trial.params[key] for trial in sweep.trials if key in trial.params]
            found[name] = _is_wide(values)
    return dict(list(found.items())[:PARAMS_AT_MOST])


def _name_in(config: Mapping[str, Any], key: str) -> str | None:
    """Return the name of what an override sets: for a choice of a group, what it builds."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    if isinstance(node, Mapping):
        return f"{key}._target_" if "_target_" in node else None
    return key


def _is_wide(values: Sequence[object]) -> bool:
    numbers = []
    for value in values:
        try:
            numbers.append(float(str(value)))
        except ValueError:
            return False
    return bool(numbers) and min(numbers) > 0 and max(numbers) >= LOGARITHMIC_FROM * min(numbers)
