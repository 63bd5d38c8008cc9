"""`headrace diff`: what differs between two runs, from config to plots."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

from headrace.adapters.code_store import CodeStore
from headrace.commands.run_names import DEFAULT_ROOT, RUN_HELP, add_command, add_common, find_run
from headrace.commands.screen import Answer, Screen, printable
from headrace.commands.words import Subparsers
from headrace.core.artifact import Artifact
from headrace.core.code_change import explain
from headrace.core.compare import Difference, Section, compare
from headrace.core.ports import LakeStore
from headrace.core.record import RunRecord
from headrace.errors import LakeError, StageError

LONGEST_VALUE = 40


def add_diff(commands: Subparsers) -> None:
    """Add the command to a parser."""
    parser = add_command(commands, "diff", "what differs between two runs", "diff.diff")
    parser.add_argument("left", metavar="A", help=RUN_HELP)
    parser.add_argument("right", metavar="B", help="the run that is compared with A")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write plots side by side into this page")
    parser.add_argument("--lake", metavar="OPTION", help="another option of conf/lake/ than the project's")
    change = "change the config, such as lake.repository=demo; may be repeated"
    parser.add_argument("-o", "--override", metavar="KEY=VALUE", action="append", default=[], help=change)
    add_common(parser)


def diff(arguments: argparse.Namespace) -> Answer:
    """Compare two runs; nothing at all is said where nothing differs."""
    root = arguments.headrace_dir
    left, right = find_run(root, arguments.left), find_run(root, arguments.right)
    differences = compare(left, right)
    open_lake = cache(lambda: _open_lake(arguments))
    tables = list(_compare_tables(open_lake, left, right))
    if arguments.html is not None:
        from headrace.commands.diff_page import write_page

        write_page(arguments.html, left, right, differences, open_lake)
    differing = {difference.section for difference in differences}
    same = [section for section in get_args(Section) if section not in differing]
    data = {
        "left": left.id,
        "right": right.id,
        "same": same,
        "differences": [difference.to_json() for difference in differences],
        "tables": tables,
        "stages": _stages(left, right),
    }
    code = CodeStore(root / "cache" / "code")

    def lines(screen: Screen) -> Iterator[str]:
        yield from _lines(screen, differences, tables, code)
        if differences and same:
            yield f"\nthe same: {', '.join(same)}"
        if arguments.html is not None and differences:
            yield f"\nplots side by side: {arguments.html}"

    return Answer(data, lines)


def _open_lake(arguments: argparse.Namespace) -> LakeStore:
    from headrace.project import open_lake

    overrides = [f"lake={arguments.lake}"] if arguments.lake else []
    if arguments.headrace_dir != DEFAULT_ROOT:
        path = str(arguments.headrace_dir).replace("'", "\\'")
        overrides.append(f"headrace_dir='{path}'")
    return open_lake([*overrides, *arguments.override])


def outputs_of(record: RunRecord) -> dict[str, Artifact]:
    """Return the artifacts of a run by name."""
    return {name: artifact for stage in record.stages for name, artifact in stage.outputs.items()}


def _compare_tables(
    open_lake: Callable[[], LakeStore], left: RunRecord, right: RunRecord
) -> Iterator[dict[str, Any]]:
    """Compare each table that both runs have and that differs, the first one of many that are the same.

    The lake is opened only for that. One that cannot be read is told as such: the rest stands.
    """
    others = outputs_of(right)
    seen = set()
    for name, artifact in outputs_of(left).items():
        other = others.get(name)
        if other is None or not artifact.codec == other.codec == "parquet":
            continue
        pair = (artifact.digest, other.digest)
        if artifact.digest == other.digest or pair in seen:
            continue
        seen.add(pair)
        from headrace.adapters.table_rows import compare_tables

        try:
            lake = open_lake()
            paths = [lake.local_path(side.commit, side.path) for side in (artifact, other)]
            yield {"artifact": name, **compare_tables(*paths)}
        except (LakeError, StageError) as error:
            yield {"artifact": name, "error": str(error)}


def _stages(left: RunRecord, right: RunRecord) -> list[dict[str, Any]]:
    """Put state and seconds of the stages side by side; none for a run and itself."""
    if left.id == right.id:
        return []
    sides = [{stage.name: stage for stage in record.stages} for record in (left, right)]
    return [
        {
            "name": name,
            "state": [side[name].state if name in side else None for side in sides],
            "seconds": [side[name].seconds if name in side else None for side in sides],
        }
        for name in dict.fromkeys([*sides[0], *sides[1]])
    ]


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
        yield screen.fit(f"  {printable(difference.name)}: ", _said(difference, code))
    if tables:
        yield "\ntables"
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
            f"{k} {_short(before.get(k))} → {_short(now.get(k))}"
            for k in dict.fromkeys([*before, *now])
            if before.get(k) != now.get(k)
        ]
        return ", ".join(parts)
    return f"{_short(before)} → {_short(now)}"


def _table_lines(screen: Screen, tables: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for table in tables:
        before = f"  {printable(table['artifact'])}: "
        if "error" in table:
            yield screen.fit(f"{before}cannot be compared: ", table["error"])
            continue
        counts = [f"{table[word]:,} {word}" for word in ("added", "removed", "changed") if table[word]]
        said = ", ".join(counts) or ("all there, in another order" if table.get("moved") else "all the same")
        yield screen.fit(before, f"{table['rows'][0]:,} → {table['rows'][1]:,} rows: {said}")
        for name, said in table["columns"].items():
            yield screen.fit(f"    column {printable(name)}: ", said)


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    if text.startswith("sha256:"):
        return text[7:19]
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
