"""`headrace sweeps`: what was swept, and what one sweep came to."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from headrace.adapters.sweep_files import SweepFiles
from headrace.commands.run_names import add_command, add_common
from headrace.commands.runs import LONGEST_NAME, since_when
from headrace.commands.screen import Answer, Screen, age, printable, short
from headrace.commands.sweep_names import (
    KILLED,
    SWEEP_HELP,
    find_sweep,
    list_sweeps,
    settle,
    sweep_files,
)
from headrace.commands.words import Subparsers, count
from headrace.core.sweep import ENDED, SweepRecord
from headrace.tell import near
from headrace.tell_sweep import UNCUT, counts, failures, table

STATES = ("running", "succeeded", "failed", "interrupted", KILLED)
SORTS = ("started", "seconds", "experiment", "jobs")


def add_sweeps(commands: Subparsers) -> None:
    """Add the command to a parser."""
    parser = add_command(commands, "sweeps", "what was swept, newest first, or one sweep", "sweeps.sweeps")
    parser.add_argument("sweep_id", metavar="SWEEP", nargs="?", help=SWEEP_HELP)
    parser.add_argument("--experiment", metavar="NAME", help="only sweeps of this experiment")
    parser.add_argument("--state", choices=STATES, help="only sweeps that ended, or are, like this")
    parser.add_argument("--since", metavar="SPAN|DATE", help="only newer ones: 12h, 7d, 2026-11-01")
    by = f"{', '.join(SORTS)}; the largest first"
    parser.add_argument("--sort", metavar="FIELD", choices=SORTS, default="started", help=by)
    parser.add_argument("--reverse", action="store_true", help="the smallest first")
    parser.add_argument("-n", dest="count", metavar="N", type=count, default=20, help="how many; default 20")
    add_common(parser)


def sweeps(arguments: argparse.Namespace) -> Answer:
    """List sweeps, or show one."""
    files = sweep_files(arguments.headrace_dir)
    if arguments.sweep_id is not None:
        record, state = settle(find_sweep(arguments.headrace_dir, arguments.sweep_id), files)
        data = record.to_json() | {"state": state}
        return Answer(data, lambda screen: _sweep_lines(screen, record, state, files))
    since = since_when(arguments.since)
    heads = [_head(record, files) for record in list_sweeps(arguments.headrace_dir)]
    found = [
        head
        for head in heads
        if arguments.experiment in (None, head.experiment)
        and arguments.state in (None, head.state)
        and head.started >= since
    ]
    keys: dict[str, Callable[[SweepHead], Any]] = {
        "started": lambda head: head.started,
        "seconds": lambda head: head.seconds,
        "experiment": lambda head: head.experiment,
        "jobs": lambda head: sum(head.jobs.values()),
    }
    key = keys[arguments.sort]
    found.sort(key=lambda head: (key(head), head.id), reverse=not arguments.reverse)
    shown = found[: arguments.count]
    return Answer([asdict(head) for head in shown], lambda screen: _lines(screen, shown, len(found)))


# --- a list -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepHead:
    """One sweep in a list: its jobs by state, and of the best one its number and objective."""

    id: str
    experiment: str
    state: str
    started: str
    seconds: float
    objective: dict[str, str]
    jobs: dict[str, int]
    best: dict[str, Any] | None
    error: str | None


def _head(record: SweepRecord, files: SweepFiles) -> SweepHead:
    record, state = settle(record, files)
    ranked = record.ranked() if record.objective else []
    best = ranked[0] if ranked else None
    return SweepHead(
        id=record.id,
        experiment=record.experiment,
        state=state,
        started=record.started,
        seconds=record.seconds,
        objective=dict(record.objective),
        jobs=dict(Counter(trial.state for trial in record.trials)),
        best=None
        if best is None
        else {
            "job": best.number,
            "run": best.run,
            "metrics": {name: best.metrics[name] for name in record.objective},
        },
        error=record.error,
    )


def _lines(screen: Screen, heads: Sequence[SweepHead], total: int) -> Iterator[str]:
    if not heads:
        yield "no sweep here is like that"
        return
    name = max(len(head.experiment) for head in heads)
    lines = [f"{before}  {_said(head)}" for before, head in _places(heads, name)]
    if screen.width is None or max(map(len, lines)) <= screen.width:
        yield from map(printable, lines)
    else:  # what it came to has a line of its own
        for before, head in _places(heads, min(name, LONGEST_NAME)):
            yield screen.fit("", before)
            yield screen.fit("  ", _said(head))
    if total > len(heads):
        yield f"… and {total - len(heads):,} more; for all of them, type: -n {total}"


def _places(heads: Sequence[SweepHead], name: int) -> Iterator[tuple[str, SweepHead]]:
    """Yield of each sweep what stands before what it came to; `name` is the width of an experiment's."""
    now = time.time()
    state = max(len(head.state) for head in heads)
    for head in heads:
        when = age(now - datetime.fromisoformat(head.started).timestamp())
        shown = head.experiment if len(head.experiment) <= name else f"{head.experiment[: name - 1]}…"
        before = f"{head.id}  {printable(shown):<{name}}  {head.state:<{state}}  {when:>6}"
        seconds = f"{head.seconds:.1f} s" if head.seconds else "-"  # a record has them once it has ended
        yield f"{before}  {seconds:>9}", head


def _said(head: SweepHead) -> str:
    jobs = ", ".join(f"{number} {state}" for state, number in head.jobs.items()) or "no jobs"
    if head.best is None:
        return f"{jobs}: {head.error.partition(chr(10))[0]}" if head.error else jobs
    figures = "  ".join(f"{name} {value:.4g}" for name, value in head.best["metrics"].items())
    return f"{figures}  (job {head.best['job']}; {jobs})"


# --- one sweep --------------------------------------------------------------------------------


def _sweep_lines(screen: Screen, record: SweepRecord, state: str, files: SweepFiles) -> Iterator[str]:
    took = f", {record.seconds:.1f} s" if record.seconds else ""
    yield f"sweep     {record.id}  ({state}{took})"
    yield screen.fit("what      ", f"{record.experiment}, by flows.{record.flow}")
    yield f"started   {record.started}"
    yield from map(printable, screen.wrap(f"command   {record.command}"))
    if record.objective:
        yield screen.fit("objective ", ", ".join(f"{way} {name}" for name, way in record.objective.items()))
    yield from screen.wrap(f"jobs      {counts(record)}")
    if record.trials:
        yield ""
        yield from map(printable, table(record, screen.width or UNCUT))
    for line in failures(record, files):
        yield from map(printable, screen.wrap(line) if line.startswith("job") else [line])  # paths stay whole
    yield ""
    yield f"record    {near(files.file(record.id).absolute())}"
    if url := record.prefect.get("url"):
        yield f"Prefect   {printable(str(url))}"
    if published := record.published:
        what = f"{published.get('model')} version {published.get('version')}, alias {published.get('alias')}"
        yield screen.fit("published ", what, f", lake {short(str(published.get('commit')))}")
    if ranked := record.ranked():
        which = f"job {ranked[0].number}; to" if record.objective else "to"
        by = "" if record.objective else " --by <metric>"
        yield f"best      {which} publish it: headrace best {record.id}{by}"
    yield from _ending(screen, record, state)


def _ending(screen: Screen, record: SweepRecord, state: str) -> Iterator[str]:
    if record.error:
        yield ""
        yield from map(printable, screen.wrap(f"{record.state}: {record.error}"))
    unfinished = state in ("interrupted", KILLED) or any(t.state not in ENDED for t in record.trials)
    if state != "running" and unfinished and record.resume:
        yield "\nfinished jobs are kept; to go on, type:"
        yield printable(record.resume)
