"""Report: a run, a sweep, or several runs side by side, as one page that opens without a network.

    python -m flows.report run=latest
    python -m flows.report sweep=latest format=[html,markdown]
    python -m flows.report 'compare=[20261124-093545,latest]'

It is made from the record and from what the run left in the lake; nothing runs again. A lake other than the
project's is chosen as for a run: lake=lakefs lake.repository=demo.

Runs that are logged online have the same report in W&B; wandb=false makes none. A link for those who have
no account there is made and revoked by:

    python -m flows.report run=latest share=true
    python -m flows.report run=latest share=false
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace import entry
from headrace.adapters.code_store import CodeStore
from headrace.adapters.codec_figure import draw_png
from headrace.adapters.record_files import RunRecords
from headrace.commands.run_names import find_run
from headrace.commands.screen import size
from headrace.commands.sweep_names import find_sweep, settle, sweep_files
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.core.report import Report
from headrace.core.sweep import SweepRecord
from headrace.errors import WrongWord, did_you_mean
from headrace.project import open_lake
from headrace.reports import compare, run, sweep
from headrace.reports.wandb import ReportsInWandb, Told, Wanted, report_folder
from headrace.reports.wandb_document import (
    Document,
    document_of_comparison,
    document_of_run,
    document_of_sweep,
)
from headrace.reports.write import FORMATS, write_report
from headrace.tell import near

SUBJECTS = ("run", "sweep", "compare")
KNOWN = (*SUBJECTS, "format", "out", "wandb", "share", "wandb_seconds", "headrace_dir")
LAKE = "lake"
WANTED: tuple[Wanted, ...] = ("auto", "true", "false")
WANDB_SECONDS = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for. `names` are runs or a sweep as a person calls them."""

    subject: str
    names: tuple[str, ...]
    formats: tuple[str, ...]
    out: Path | None  # None: below `root`
    root: Path
    lake: tuple[str, ...]  # overrides
    wandb: Wanted = "auto"
    share: bool | None = None  # None: a link that is there stays, and none is made
    wandb_seconds: float = WANDB_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A report, by the name of what it is on, and what of W&B it is about."""

    name: str
    report: Report
    runs: tuple[RunRecord, ...]
    sweep: SweepRecord | None = None

    def document(self) -> Document:
        """Return it as W&B is to show it."""
        if self.sweep is not None:
            return document_of_sweep(self.name, self.report, self.sweep, self.runs)
        if len(self.runs) > 1:
            return document_of_comparison(self.name, self.report, self.runs)
        return document_of_run(self.name, self.report, self.runs[0])


def parse(words: Sequence[str]) -> Asked:
    """Read `run=…`, `sweep=…` or `compare=[…]`, and how to write it. Raises `WrongWord`."""
    given: dict[str, str] = {}
    lake: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key == LAKE or key.startswith(f"{LAKE}."):
            lake.append(word)
        elif not equals or key not in KNOWN:
            raise WrongWord(f"{word!r} is no word here; {did_you_mean(key, (*KNOWN, LAKE), '{}=…')}")
        else:
            given[key] = value
    subjects = [name for name in SUBJECTS if given.get(name)]
    if len(subjects) != 1:
        raise WrongWord("report on what? type: run=latest, sweep=latest, or compare=[<run>,<run>]")
    names = _listed(given[subjects[0]])
    if subjects[0] == "compare" and len(names) < 2:
        raise WrongWord("to compare takes two runs or more; type: 'compare=[<run>,<run>]'")
    formats = _listed(given.get("format", "html"))
    for name in formats:
        if name not in FORMATS:
            raise WrongWord(f"there is no format {name!r}; {did_you_mean(name, FORMATS, 'format={}')}")
    wandb, share = _parse_wandb(given)
    root = Path(given.get("headrace_dir") or ".headrace")
    out = Path(given["out"]) if given.get("out") else None
    return Asked(
        subject=subjects[0],
        names=names,
        formats=formats,
        out=out,
        root=root,
        lake=(f"headrace_dir={root}", *lake),
        wandb=wandb,
        share=share,
        wandb_seconds=_seconds(given.get("wandb_seconds")),
    )


def _parse_wandb(given: Mapping[str, str]) -> tuple[Wanted, bool | None]:
    word = given.get("wandb", "auto")
    wandb = next((one for one in WANTED if one == word), None)
    if wandb is None:
        raise WrongWord(f"wandb={word!r} is none of {', '.join(WANTED)}")
    shared = given.get("share")
    if shared not in (None, "true", "false"):
        raise WrongWord(f"share={shared!r} is neither true nor false")
    if shared is not None and wandb == "false":
        raise WrongWord(f"a link is one of W&B: leave out wandb=false, or share={shared}")
    return wandb, None if shared is None else shared == "true"


def _seconds(text: str | None) -> float:
    try:
        seconds = WANDB_SECONDS if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise WrongWord(f"wandb_seconds={text!r} is no number of seconds; type: wandb_seconds=45")
    return seconds


def _listed(value: str) -> tuple[str, ...]:
    """Return the parts of `[a,b]`, or the one that stands without brackets."""
    return tuple(
        part.strip() for part in value.strip().removeprefix("[").removesuffix("]").split(",") if part
    )


def make_report(asked: Asked) -> Made:
    """Return the report, and what it is on."""
    records = RunRecords(asked.root / "runs")
    if asked.subject == "sweep":
        record, state = settle(find_sweep(asked.root, asked.names[0]), sweep_files(asked.root))
        report = sweep.build(record, state, draw_png)
        return Made(name=record.id, report=report, runs=_runs_of(record, records), sweep=record)
    lake = open_lake(asked.lake)
    runs = tuple(find_run(asked.root, name) for name in asked.names)
    if asked.subject == "compare":
        name = "-with-".join(one.id for one in runs[:2])
        report = compare.build(runs, lake, CodeStore(asked.root / "cache" / "code").get)
        return Made(name=name, report=report, runs=runs)
    return Made(name=runs[0].id, report=run.build(runs[0], lake, records.newest_first()), runs=runs)


def _runs_of(record: SweepRecord, records: RunRecords) -> tuple[RunRecord, ...]:
    """Return the runs of a sweep that are still known, the best first."""
    found = []
    for run_id in dict.fromkeys(trial.run for trial in (*record.ranked(), *record.trials) if trial.run):
        with contextlib.suppress(UnreadableRecord):
            found.append(records.read(run_id))
    return tuple(found)


def run_report(asked: Asked) -> int:
    """Make a report, write it, and say where it is. Returns an exit code, of what W&B was asked for."""
    started = time.perf_counter()
    made = make_report(asked)
    files = write_report(made.report, asked.out or report_folder(asked.root, made.name), asked.formats)
    for file in files:
        print(f"report  {near(file.absolute())}  ({size(file.stat().st_size)})")
    print(f"made in {time.perf_counter() - started:.1f} s", flush=True)
    return _tell(to_wandb(asked, made)) if asked.wandb != "false" else 0


def to_wandb(asked: Asked, made: Made) -> Told:
    """Do with the report in W&B what was asked for."""
    reports = ReportsInWandb(asked.root, os.environ, asked.wandb_seconds)
    told = Told()
    if asked.share is False:
        told = reports.revoke(made.name, made.runs)
    if asked.share is not False or asked.wandb == "true":
        saved = reports.save(made.document(), made.runs, asked.wandb, share=bool(asked.share))
        saved.lines = [*told.lines, *saved.lines]
        return saved
    return told


def _tell(told: Told) -> int:
    for warning in told.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for line in told.lines:
        print(line)
    if told.share is not None:
        print("whoever has this link can read the report; it is written down nowhere; share=false revokes it")
        print(told.share)
    return 1 if told.failed else 0


def main() -> None:
    """Report from the shell; exit code 0 whatever the report says, 2 for a wrong word, 1 for W&B."""

    def action() -> int:
        return run_report(parse(sys.argv[1:]))

    entry.run(action)


if __name__ == "__main__":
    main()
