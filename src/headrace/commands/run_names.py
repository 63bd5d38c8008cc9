"""Which run a person means: an id, the beginning of one, or the latest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headrace.adapters.record_files import RunRecords
from headrace.adapters.run_index import RunHead, RunIndex, Unreadable
from headrace.commands.words import Subparsers
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.errors import RunNotFound, did_you_mean

DEFAULT_ROOT = Path(".headrace")
LATEST = "latest"
TOLD_AT_MOST = 3
RUN_HELP = "a run id, the beginning of one, latest, or latest:EXPERIMENT"


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that looks at runs."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--headrace-dir", type=Path, default=DEFAULT_ROOT, help="folder of the project's state"
    )


def add_command(commands: Subparsers, name: str, summary: str, answer: str) -> argparse.ArgumentParser:
    """Add a command that a function of this package answers."""
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(run=_run, answer=answer)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from importlib import import_module

    module, _, function = arguments.answer.partition(".")
    getattr(import_module(f"headrace.commands.{module}"), function)(arguments).show(arguments.json)
    return 0


def list_runs(root: Path) -> list[RunHead]:
    """Return every run, newest first; records that cannot be read are told on stderr."""
    heads, unreadable = _index(root).heads()
    _warn(unreadable)
    return heads


def _index(root: Path) -> RunIndex:
    return RunIndex(root / "runs", root / "cache" / "runs.json")


def find_run(root: Path, name: str) -> RunRecord:
    """Return the run that a person names. Raises `RunNotFound`."""
    records = RunRecords(root / "runs")
    # A whole id needs no list, and what is wrong with other records is no matter of this run.
    is_id = name == Path(name).name and records.file(name).is_file()
    run_id = name if is_id else _find(_index(root).heads(), name)
    try:
        return records.read(run_id)
    except UnreadableRecord as error:
        raise RunNotFound(f"the record of run {run_id} cannot be read: {error}") from error


def _find(known: tuple[Sequence[RunHead], Sequence[Unreadable]], name: str) -> str:
    heads, unreadable = known
    latest, _, experiment = name.partition(":")
    if latest == LATEST:
        _warn(unreadable)  # the latest may be among them
        found = [head for head in heads if experiment in ("", head.experiment)]
        if found:
            return found[0].id
        hint = did_you_mean(experiment, {head.experiment for head in heads}, "latest:{}")
        raise RunNotFound(f"there is no run of {experiment or 'anything'} here; {hint}")
    ids = [head.id for head in heads] + [record.id for record in unreadable]
    found_ids = [run_id for run_id in ids if name and run_id.startswith(name)]
    if len(found_ids) == 1:
        return found_ids[0]
    if found_ids:
        shown = ", ".join(found_ids[:TOLD_AT_MOST])
        raise RunNotFound(f"{name!r} begins {len(found_ids)} runs ({shown}, …): type more of the id")
    raise RunNotFound(f"there is no run {name!r} here; {did_you_mean(name, ids)}; see: headrace runs")


def _warn(unreadable: Sequence[Unreadable]) -> None:
    for record in unreadable[:TOLD_AT_MOST]:
        print(f"warning: passed over run {record.id}: {record.why}", file=sys.stderr)
    if len(unreadable) > TOLD_AT_MOST:
        more = len(unreadable) - TOLD_AT_MOST
        print(f"warning: and {more} more records cannot be read", file=sys.stderr)
