"""`headrace sync`: send to Weights & Biases what was logged offline, and do there what was left to do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from headrace.adapters.record_files import RunRecords
from headrace.commands.run_names import LATEST, RUN_HELP, add_common, find_run, list_runs
from headrace.commands.screen import plural, printable
from headrace.commands.words import Subparsers, count
from headrace.core.record import UnreadableRecord
from headrace.errors import WrongWord

if TYPE_CHECKING:
    from headrace.adapters.tracker_wandb.sync import Outcome

DEFAULT_SECONDS = 600


def add_sync(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "send to W&B what was logged offline, in order"
    parser = commands.add_parser("sync", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("run_id", metavar="RUN", nargs="?", help=f"{RUN_HELP}; default {LATEST}")
    parser.add_argument("--all", action="store_true", help="every run that has something left, oldest first")
    limit = f"how long sending one run may take; default {DEFAULT_SECONDS}"
    parser.add_argument("--timeout", metavar="SECONDS", type=count, default=DEFAULT_SECONDS, help=limit)
    add_common(parser)
    parser.set_defaults(run=run_sync)


def run_sync(arguments: argparse.Namespace) -> int:
    """Sync runs, and say of each what was done and what is left. Exit code 1 where something is left."""
    from headrace.adapters.tracker_wandb.sync import Syncer
    from headrace.reports.wandb import send_kept

    if arguments.all and arguments.run_id is not None:
        raise WrongWord("name a run, or write --all")
    records = RunRecords(arguments.headrace_dir / "runs")
    ids = _ids(arguments, records)
    outcomes = []
    others = {"report": send_kept(records)}
    with Syncer(records.read, records.write, float(arguments.timeout), others) as syncer:
        for run_id in ids:
            outcomes.append(syncer.sync(run_id, records.folder(run_id)))
            if not arguments.json:
                _show(outcomes[-1])
    if arguments.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=1, ensure_ascii=False))
    elif not ids:
        print("no run here has something left to send")
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _ids(arguments: argparse.Namespace, records: RunRecords) -> list[str]:
    if not arguments.all:
        return [find_run(arguments.headrace_dir, arguments.run_id or LATEST).id]
    ids = sorted(head.id for head in list_runs(arguments.headrace_dir))
    return [run_id for run_id in ids if _has_something_left(records, run_id)]


def _has_something_left(records: RunRecords, run_id: str) -> bool:
    try:
        record = records.read(run_id)
    except UnreadableRecord:
        return False  # the list has told of it
    return record.state != "running" and bool(record.wandb.get("pending"))


def _show(outcome: Outcome) -> None:
    print(f"run {outcome.run}")
    for did in outcome.did:
        print(f"  done  {printable(did)}")
    for left in outcome.left:
        print(f"  left  {printable(left)}")
    if not outcome.did and not outcome.left:
        print("  nothing was left to do")
    if outcome.url:
        print(f"  see   {printable(outcome.url)}")
    if outcome.error:
        lines = [printable(line) for line in outcome.error.splitlines()]
        said = "\n  ".join(lines)
        again = (
            f"{plural(len(outcome.left), 'thing')} left; once it is mended, type: headrace sync {outcome.run}"
        )
        print(f"error: {said}\n  {again}", file=sys.stderr)
