"""`headrace diff`: what differs between two runs, from config to plots."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.adapters.code_store import CodeStore
from headrace.commands.run_names import RUN_HELP, add_command, add_common, find_run
from headrace.commands.screen import Answer, Screen
from headrace.commands.words import Subparsers
from headrace.core.code_change import explain
from headrace.core.compare import Difference, compare
from headrace.core.record import RunRecord

LONGEST_VALUE = 40


def add_diff(commands: Subparsers) -> None:
    """Add the command to a parser."""
    parser = add_command(commands, "diff", "what differs between two runs", "diff.diff")
    parser.add_argument("left", metavar="A", help=RUN_HELP)
    parser.add_argument("right", metavar="B", help="the run that is compared with A")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write plots side by side into this page")
    add_common(parser)


def diff(arguments: argparse.Namespace) -> Answer:
    """Compare two runs; nothing at all is said where nothing differs."""
    root = arguments.headrace_dir
    left, right = find_run(root, arguments.left), find_run(root, arguments.right)
    differences = compare(left, right)
    tables = _tables(left, right, differences)
    if arguments.html is not None:
        from headrace.commands.diff_page import write_page

        write_page(arguments.html, left, right, differences)
    data = {
        "left": left.id,
        "right": right.id,
        "differences": [difference.to_json() for difference in differences],
        "tables": tables,
    }
    code = CodeStore(root / "cache" / "code")
    return Answer(data, lambda screen: _lines(screen, differences, tables, code))


def _tables(left: RunRecord, right: RunRecord, differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Compare the rows of the first table that both runs have and that differs: the others follow from it."""
    sides = [
        {name: artifact for stage in record.stages for name, artifact in stage.outputs.items()}
        for record in (left, right)
    ]
    for name, artifact in sides[0].items():
        other = sides[1].get(name)
        if other is None or other.digest == artifact.digest:
            continue
        if artifact.codec == other.codec == "parquet":
            from headrace.adapters.table_rows import compare_tables
            from headrace.project import open_lake

            lake = open_lake()
            paths = [lake.local_path(side.commit, side.path) for side in (artifact, other)]
            return [{"artifact": name, **compare_tables(*paths)}]
    return []


def _lines(
    screen: Screen, differences: Sequence[Difference], tables: Sequence[Mapping[str, Any]], code: CodeStore
) -> Iterator[str]:
    section = ""
    for difference in differences:
        if difference.section != section:
            if section:
                yield ""
            section = difference.section
            yield section
        yield screen.fit(f"  {difference.name}: ", _said(difference, code))
        if difference.section == "data":
            yield from _table_lines(screen, tables)
            tables = ()
    yield from _table_lines(screen, tables)


def _said(difference: Difference, code: CodeStore) -> str:
    before, now = difference.left, difference.right
    if difference.section == "code" and isinstance(before, str) and isinstance(now, str):
        known, new = code.get(before), code.get(now)
        more = explain(known, new) if known is not None and new is not None else ""
        return more or f"{before[:12]} → {now[:12]}"
    if difference.section == "metrics" and isinstance(before, int | float) and isinstance(now, int | float):
        return f"{before:.6g} → {now:.6g} ({now - before:+.3g})"
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        parts = [
            f"{k} {_short(before.get(k))} → {_short(now.get(k))}" for k in now if before.get(k) != now[k]
        ]
        return ", ".join(parts)
    return f"{_short(before)} → {_short(now)}"


def _table_lines(screen: Screen, tables: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for table in tables:
        rows = f"{table['rows'][0]:,} → {table['rows'][1]:,} rows"
        counts = f"{table['added']:,} added, {table['removed']:,} removed, {table['changed']:,} changed"
        yield f"  table {table['artifact']}: {rows}: {counts}"
        for name, said in table["columns"].items():
            yield screen.fit(f"    column {name}: ", said)


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    if text.startswith("sha256:"):
        return text[7:19]
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
