"""Report: a run, a sweep, or several runs side by side, as one page that opens without a network.

    python -m flows.report run=latest
    python -m flows.report sweep=latest format=[html,markdown]
    python -m flows.report 'compare=[20261124-093545,latest]'

It is made from the record and from what the run left in the lake; nothing runs again. A lake other than the
project's is chosen as for a run: lake=lakefs lake.repository=demo.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace import entry
from headrace.adapters.code_store import CodeStore
from headrace.adapters.codec_figure import draw_png
from headrace.adapters.record_files import RunRecords
from headrace.commands.run_names import find_run
from headrace.commands.screen import size
from headrace.commands.sweep_names import find_sweep, settle, sweep_files
from headrace.core.report import Report
from headrace.errors import WrongWord, did_you_mean
from headrace.project import open_lake
from headrace.reports import compare, run, sweep
from headrace.reports.write import FORMATS, write_report
from headrace.tell import near

SUBJECTS = ("run", "sweep", "compare")
KNOWN = (*SUBJECTS, "format", "out", "headrace_dir")
LAKE = "lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for. `names` are runs or a sweep as a person calls them."""

    subject: str
    names: tuple[str, ...]
    formats: tuple[str, ...]
    out: Path | None  # None: below `root`
    root: Path
    lake: tuple[str, ...]  # overrides


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
    root = Path(given.get("headrace_dir") or ".headrace")
    out = Path(given["out"]) if given.get("out") else None
    return Asked(
        subject=subjects[0],
        names=names,
        formats=formats,
        out=out,
        root=root,
        lake=(f"headrace_dir={root}", *lake),
    )


def _listed(value: str) -> tuple[str, ...]:
    """Return the parts of `[a,b]`, or the one that stands without brackets."""
    return tuple(
        part.strip() for part in value.strip().removeprefix("[").removesuffix("]").split(",") if part
    )


def make_report(asked: Asked) -> tuple[str, Report]:
    """Return the name of what is reported on, and the report."""
    if asked.subject == "sweep":
        record, state = settle(find_sweep(asked.root, asked.names[0]), sweep_files(asked.root))
        return record.id, sweep.build(record, state, draw_png)
    lake = open_lake(asked.lake)
    runs = [find_run(asked.root, name) for name in asked.names]
    if asked.subject == "compare":
        name = "-with-".join(one.id for one in runs[:2])
        return name, compare.build(runs, lake, CodeStore(asked.root / "cache" / "code").get)
    return runs[0].id, run.build(runs[0], lake, RunRecords(asked.root / "runs").newest_first())


def run_report(asked: Asked) -> list[Path]:
    """Make a report, write it, and say where it is. Returns its files."""
    started = time.perf_counter()
    name, report = make_report(asked)
    files = write_report(report, asked.out or asked.root / "reports" / name, asked.formats)
    for file in files:
        print(f"report  {near(file.absolute())}  ({size(file.stat().st_size)})")
    print(f"made in {time.perf_counter() - started:.1f} s")
    return files


def main() -> None:
    """Report from the shell; exit code 0 whatever the report says, 2 for a wrong word."""

    def action() -> None:
        run_report(parse(sys.argv[1:]))

    entry.run(action)


if __name__ == "__main__":
    main()
