"""Which run a person means: an id, the beginning of one, or the latest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from headrace.adapters.record_files import RunRecords
from headrace.adapters.run_index import RunHead, RunIndex, Unreadable
from headrace.commands.words import Subparsers
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.errors import HeadraceError, RunNotFound, did_you_mean

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
    warn(unreadable)
    return heads


def _index(root: Path) -> RunIndex:
    return RunIndex(root / "runs", root / "cache" / "runs.json")


def find_run(root: Path, name: str) -> RunRecord:
    """Return the run that a person names. Raises `RunNotFound`."""
    records = RunRecords(root / "runs")
    # A whole id needs no list, and what is wrong with other records is no matter of this run.
    is_id = name == Path(name).name and records.file(name).is_file()
    run_id = name if is_id else find_id(*_index(root).heads(), name)
    try:
        return records.read(run_id)
    except UnreadableRecord as error:
        raise RunNotFound(f"the record of run {run_id} cannot be read: {error}") from error


class Named(Protocol):
    """What a list knows of one of its things."""

    @property
    def id(self) -> str: ...

    @property
    def experiment(self) -> str: ...


def find_id(
    known: Sequence[Named],
    unreadable: Sequence[Unreadable],
    name: str,
    kind: str = "run",
    error: type[HeadraceError] = RunNotFound,
) -> str:
    """Return the whole id of what a person names; `known` has the newest first. Raises `error`."""
    latest, _, experiment = name.partition(":")
    if latest == LATEST:
        warn(unreadable, kind)  # the latest may be among them
        found = [one for one in known if experiment in ("", one.experiment)]
        if found:
            return found[0].id
        hint = did_you_mean(experiment, {one.experiment for one in known}, "latest:{}")
        raise error(f"there is no {kind} of {experiment or 'anything'} here; {hint}")
    ids = [one.id for one in known] + [record.id for record in unreadable]
    found_ids = [one for one in ids if name and one.startswith(name)]
    if len(found_ids) == 1:
        return found_ids[0]
    if found_ids:
        shown = ", ".join(found_ids[:TOLD_AT_MOST])
        raise error(f"{name!r} begins {len(found_ids)} {kind}s ({shown}, …): type more of the id")
    raise error(f"there is no {kind} {name!r} here; {did_you_mean(name, ids)}; see: headrace {kind}s")


def warn(unreadable: Sequence[Unreadable], kind: str = "run") -> None:
    """Tell on stderr which records are passed over, and why."""
    for record in unreadable[:TOLD_AT_MOST]:
        print(f"warning: passed over {kind} {record.id}: {record.why}", file=sys.stderr)
    if len(unreadable) > TOLD_AT_MOST:
        more = len(unreadable) - TOLD_AT_MOST
        print(f"warning: and {more} more records cannot be read", file=sys.stderr)
