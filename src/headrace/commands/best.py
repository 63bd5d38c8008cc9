"""`headrace best`: the command that runs the best job of a sweep alone and publishes it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, get_args

from headrace.commands.run_names import add_command, add_common
from headrace.commands.screen import Answer, printable
from headrace.commands.sweep_names import SWEEP_HELP, find_sweep, settle, sweep_files
from headrace.commands.words import Subparsers
from headrace.core.secrets import REDACTED
from headrace.core.sweep import GOOD, Direction, SweepRecord, TrialRecord, guess_direction
from headrace.errors import SweepNotFound, WrongWord, did_you_mean
from headrace.tell_sweep import alone_command, counts

FRONT_SHOWN = 20


def add_best(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "the command that runs the best job of a sweep alone and publishes it"
    parser = add_command(commands, "best", summary, "best.best")
    parser.add_argument("sweep_id", metavar="SWEEP", help=SWEEP_HELP)
    by = "another objective: accuracy, or log_loss:minimize; may be repeated"
    parser.add_argument("--by", metavar="METRIC", action="append", default=[], help=by)
    add_common(parser)


def best(arguments: argparse.Namespace) -> Answer:
    """Find the best job."""
    files = sweep_files(arguments.headrace_dir)
    record, state = settle(find_sweep(arguments.headrace_dir, arguments.sweep_id), files)
    # In the order of the record: what a job logs first is what somebody most likely means.
    logged = list(
        dict.fromkeys(name for trial in record.trials if trial.state in GOOD for name in trial.metrics)
    )
    objective = dict(_objective(text, logged) for text in arguments.by)
    if objective:
        record = replace(record, objective=objective)
    _require(record, logged)
    ranked = record.ranked()
    if not ranked:
        raise SweepNotFound(f"sweep {record.id} has no job with a result to compare: {counts(record)}")
    trial = ranked[0]
    words = _words(record, trial)
    command = alone_command(record, words)
    for note in _notes(record, trial, words, state):
        print(f"note: {note}", file=sys.stderr)
    data = {"sweep": record.id, "command": command, **_job(trial), "overrides": words}
    if len(record.objective) > 1:
        data["front"] = [_job(one) | {"overrides": _words(record, one)} for one in record.front()]
    return Answer(data, lambda screen: iter([printable(command)]))


def _objective(text: str, logged: Sequence[str]) -> tuple[str, Direction]:
    """Read a metric, perhaps with the way that is better. Raises `WrongWord`."""
    if text in logged:
        return text, guess_direction(text)
    metric, _, way = text.rpartition(":")
    direction = next((known for known in get_args(Direction) if known == way), None)
    if direction is not None and metric in logged:
        return metric, direction
    if metric in logged:
        raise WrongWord(f"{way!r} is no direction; {did_you_mean(way, get_args(Direction), metric + ':{}')}")
    name = metric if direction is not None else text
    raise WrongWord(f"no job of this sweep logs {name!r}; {did_you_mean(name, logged, '--by {}')}")


def _require(record: SweepRecord, logged: Sequence[str]) -> None:
    """Raise `WrongWord` where nothing says what is good."""
    if record.objective:
        return
    if not logged:
        raise SweepNotFound(f"sweep {record.id} has no job with a metric: {counts(record)}")
    raise WrongWord(
        f"the best by what? Sweep {record.id} has no objective; its jobs log: {', '.join(logged)}\n"
        f"type: headrace best {record.id} --by {logged[0]}:{guess_direction(logged[0])}"
    )


def _words(record: SweepRecord, trial: TrialRecord) -> list[str]:
    from headrace.sweeps.asked import alone  # brings Hydra, for which --help need not wait

    return alone([*record.fixed, *trial.overrides])


def _job(trial: TrialRecord) -> dict[str, Any]:
    return {"job": trial.number, "run": trial.run, "metrics": trial.metrics, "params": trial.params}


def _notes(record: SweepRecord, trial: TrialRecord, words: Sequence[str], state: str) -> Iterator[str]:
    for word in words:
        if REDACTED in word:
            key = word.partition("=")[0]
            yield f"{key} is secret, so the record does not hold it: type it in place of {REDACTED}"
    if trial.state == "rejected":
        yield f"the gate says no to job {trial.number}, and will again"
    front = [str(one.number) for one in record.front()]
    if len(record.objective) > 1 and len(front) > 1:
        jobs = ", ".join(front[:FRONT_SHOWN]) + (", …" if len(front) > FRONT_SHOWN else "")
        yield f"no job is better than these in one objective and as good in the others: {jobs}"
    if state == "running":
        yield f"sweep {record.id} still runs: this is the best so far"
