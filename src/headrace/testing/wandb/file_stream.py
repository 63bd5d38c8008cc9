"""The stream of a run: history, summary, events, console lines, and how the run ended."""

from __future__ import annotations

import json
from typing import Any

from headrace.testing.wandb.answer import Answer, json_answer
from headrace.testing.wandb.ids import now
from headrace.testing.wandb.refusal import Violation
from headrace.testing.wandb.runs import Run

KEYS = {"files", "uploaded", "complete", "exitcode", "preempting", "dropped"}


def take(run: Run, document: dict[str, Any]) -> Answer:
    """Add what a client streams to its run. The same lines once more, at the same offset, change nothing.

    Raises `Violation` for a key or a file that the stand-in does not know.
    """
    if unknown := document.keys() - KEYS:
        raise Violation(400, f"the file stream has the unknown keys {sorted(unknown)}")
    for name, chunk in (document.get("files") or {}).items():
        _take_file(run, name, chunk["offset"], chunk["content"])
    run.reported_files.extend(document.get("uploaded") or [])
    run.heartbeat_at = now()
    if document.get("preempting"):
        run.state = "preempting"
    if document.get("complete"):
        run.exit_code = document["exitcode"]
        run.state = "finished" if run.exit_code == 0 else "failed"
    return json_answer({"exitcode": None, "limits": {}})


def _take_file(run: Run, name: str, offset: int, lines: list[str]) -> None:
    if name == "wandb-history.jsonl":
        _place(run.history, offset, [json.loads(line) for line in lines])
    elif name == "wandb-events.jsonl":
        _place(run.events, offset, [json.loads(line) for line in lines])
    elif name == "wandb-summary.json":
        run.summary = json.loads(lines[-1])
    elif name == "output.log":
        run.output.update({offset + n: line for n, line in enumerate(lines)})
    else:
        raise Violation(400, f"the file stream carries {name}, which the stand-in does not know")


def _place(rows: list[dict[str, Any]], offset: int, new: list[dict[str, Any]]) -> None:
    if offset > len(rows):
        raise Violation(400, f"the file stream goes on at line {offset}, only {len(rows)} are there")
    rows[offset : offset + len(new)] = new
