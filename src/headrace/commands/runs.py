"""`headrace runs`: what has run, filtered and sorted."""

from __future__ import annotations

import argparse
import operator
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.adapters.run_index import RunHead
from headrace.commands.run_names import Named, add_command, add_common, find_id, list_runs
from headrace.commands.screen import Answer, Screen, age, printable
from headrace.commands.sweep_names import list_sweeps
from headrace.commands.words import Subparsers, count, span
from headrace.errors import SweepNotFound, WrongWord, did_you_mean

STATES = ("running", "succeeded", "failed", "rejected", "pruned", "interrupted")
METRICS_SHOWN = 3
LONGEST_NAME = 14  # of an experiment, on a terminal: with it a line of 80 columns has room for a figure

_WHERE = re.compile(r"(\S+?)\s*(>=|<=|!=|=|>|<)\s*(.+)")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
    "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


def add_runs(commands: Subparsers) -> None:
    """Add the command to a parser."""
    parser = add_command(commands, "runs", "what has run, newest first", "runs.runs")
    parser.add_argument("experiment", metavar="EXPERIMENT", nargs="?", help="only runs of this experiment")
    parser.add_argument("--state", choices=STATES, help="only runs that ended, or are, like this")
    parser.add_argument("--since", metavar="SPAN|DATE", help="only newer ones: 12h, 7d, 2026-11-01")
    parser.add_argument("--model", metavar="NAME", help="only runs that published a version of it")
    parser.add_argument(
        "--sweep", metavar="SWEEP", help="only jobs of this sweep: an id, its beginning, latest"
    )
    where = "only runs for which this holds: metrics.accuracy>0.9; may be repeated"
    parser.add_argument("--where", metavar="TEST", action="append", default=[], help=where)
    by = "started, seconds, experiment, or a metric: metrics.accuracy; the largest first"
    parser.add_argument("--sort", metavar="FIELD", default="started", help=by)
    parser.add_argument("--reverse", action="store_true", help="the smallest first")
    parser.add_argument("-n", dest="count", metavar="N", type=count, default=20, help="how many; default 20")
    add_common(parser)


def runs(arguments: argparse.Namespace) -> Answer:
    """List runs."""
    heads = list_runs(arguments.headrace_dir)
    tests = [_parse_test(text) for text in arguments.where]
    since = since_when(arguments.since)
    sweep = None if arguments.sweep is None else _sweep(arguments.headrace_dir, arguments.sweep, heads)
    found = [
        head
        for head in heads
        if arguments.experiment in (None, head.experiment)
        and arguments.state in (None, head.state)
        and arguments.model in (None, head.model)
        and sweep in (None, head.sweep)
        and head.started >= since
        and all(test(head) for test in tests)
    ]
    found = _sorted(found, arguments.sort, arguments.reverse)
    shown = found[: arguments.count]
    return Answer(
        [head.to_json() for head in shown],
        lambda screen: _lines(screen, shown, len(found), of_one_sweep=sweep is not None),
    )


def _sweep(root: Path, name: str, heads: Sequence[RunHead]) -> str:
    """Return the id of the sweep that a person names; also one of which only the runs are left."""
    known: dict[str, Named] = {head.sweep: replace(head, id=head.sweep) for head in heads if head.sweep}
    known |= {sweep.id: sweep for sweep in list_sweeps(root, told=False)}
    newest_first = [known[sweep_id] for sweep_id in sorted(known, reverse=True)]
    return find_id(newest_first, [], name, "sweep", SweepNotFound)


def _lines(screen: Screen, heads: Sequence[RunHead], total: int, of_one_sweep: bool) -> Iterator[str]:
    if not heads:
        yield "no run here is like that"
        return
    now = time.time()
    names = [f"job {head.trial}" if of_one_sweep else head.experiment for head in heads]
    name = max(map(len, names))
    if screen.width is not None:
        name = min(name, LONGEST_NAME)
    for head, shown in zip(heads, map(printable, names), strict=True):
        when = age(now - datetime.fromisoformat(head.started).timestamp())
        shown = shown if len(shown) <= name else f"{shown[: name - 1]}…"
        before = f"{head.id}  {shown:<{name}}  {head.state:<11}  {when:>6}  {head.seconds:>7.1f} s"
        of_sweep = f"  job {head.trial} of {head.sweep}" if head.sweep and not of_one_sweep else ""
        yield screen.fit(f"{before}  ", f"{_said(head)}{of_sweep}").rstrip()
    if total > len(heads):
        yield f"… and {total - len(heads):,} more; for all of them, type: -n {total}"


def _said(head: RunHead) -> str:
    if head.error:
        return head.error
    figures = [f"{name} {value:.4g}" for name, value in list(head.metrics.items())[:METRICS_SHOWN]]
    published = [f"{head.model} v{head.version}"] if head.model else []
    return "  ".join([*published, *figures])


def _value(head: RunHead, field: str) -> Any:
    first, _, rest = field.partition(".")
    if first == "metrics":
        return head.metrics.get(rest)
    known = head.to_json()
    if first not in known:
        raise WrongWord(f"runs have no field {field!r}; {did_you_mean(field, [*known, 'metrics.<name>'])}")
    return known[first]


def _parse_test(text: str) -> Callable[[RunHead], bool]:
    match = _WHERE.fullmatch(text.strip())
    if match is None:
        raise WrongWord(f"{text!r} is no test; write metrics.accuracy>0.9 or state=failed")
    field, sign, written = match.groups()
    wanted: Any = written.strip()

    def holds(head: RunHead) -> bool:
        value = _value(head, field)
        if value is None:
            return False
        try:
            return _SIGNS[sign](float(value), float(wanted))
        except (TypeError, ValueError):
            return _SIGNS[sign](str(value), str(wanted))

    return holds


def since_when(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return datetime.fromtimestamp(time.time() - span(text), UTC).isoformat()
    except (argparse.ArgumentTypeError, OverflowError, ValueError, OSError):
        pass  # no span, or one that begins before all dates
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise WrongWord(f"{text!r} is neither a span nor a date; write 12h, 7d or 2026-11-01") from None


def _sorted(heads: Sequence[RunHead], field: str, smallest_first: bool) -> list[RunHead]:
    """Sort; runs that lack the field come last either way."""
    having = [(value, head) for head in heads if (value := _value(head, field)) is not None]
    if heads and not having:
        names = sorted({f"metrics.{name}" for head in heads for name in head.metrics})
        raise WrongWord(f"none of these runs has {field}; {did_you_mean(field, names, '--sort {}')}")
    lacking = [head for head in heads if _value(head, field) is None]
    ordered = sorted(having, key=lambda pair: (pair[0], pair[1].id), reverse=not smallest_first)
    return [head for _, head in ordered] + lacking
