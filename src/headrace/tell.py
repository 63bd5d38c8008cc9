"""What a run shows: progress while it goes on, and its result at the end. Progress goes to stderr."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from headrace.context import Display
from headrace.core.gate_line import short_line
from headrace.core.plan import Plan, final_runs
from headrace.core.record import RunRecord, StageRecord

if TYPE_CHECKING:
    from rich.progress import Progress

    from headrace.assemble import Prepared

LINE_EVERY_SECONDS = 5.0
ROOMY = 72  # columns; a narrower terminal gets no bar, so that counts and notes keep their place
CHECKS_IN_A_LINE = 3
MARKS = {"ran": "✓", "cached": "=", "pruned": "⊘", "failed": "✗", "skipped": "-", "running": "…"}


def open_display() -> Display:
    """Return a live display for a terminal, and plain lines for everything else."""
    return TerminalDisplay() if sys.stderr.isatty() else LineDisplay(sys.stderr)


class LineDisplay:
    """One line an event, and one every few seconds of progress: reads well in a log file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def run_started(self, record: RunRecord, stages: int) -> None:
        self.note(f"run {record.id} of {record.experiment}: {stages} stages")

    def stage_started(self, name: str, reason: str) -> None:
        self.note(f"  … {name}: {reason}")

    def stage_finished(self, stage: StageRecord) -> None:
        self.note(finished_line(stage))

    def note(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)

    @contextmanager
    def progress(self, stage: str, description: str, total: int) -> Iterator[Callable[[str], None]]:
        done, told = 0, time.monotonic()

        def step(note: str) -> None:
            nonlocal done, told
            done += 1
            now = time.monotonic()
            if done in (1, total) or now - told >= LINE_EVERY_SECONDS:
                told = now
                self.note(f"    {stage}: {description} {done}/{total} {note}".rstrip())

        yield step

    def close(self) -> None:
        return


class TerminalDisplay:
    """A line for each finished stage, and below them bars for what is running."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._bars: dict[str, Any] = {}
        self._lock = threading.Lock()

    def _live(self) -> Progress:
        with self._lock:
            if self._progress is None:
                from rich.console import Console
                from rich.progress import (
                    BarColumn,
                    MofNCompleteColumn,
                    Progress,
                    ProgressColumn,
                    SpinnerColumn,
                    TextColumn,
                    TimeElapsedColumn,
                )
                from rich.table import Column

                console = Console(stderr=True)
                columns: list[ProgressColumn] = [
                    SpinnerColumn(),
                    TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                    MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
                ]
                if console.width >= ROOMY:
                    columns += [BarColumn(), TimeElapsedColumn()]
                columns.append(
                    TextColumn(
                        "{task.fields[note]}",
                        markup=False,
                        table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
                    )
                )
                self._progress = Progress(*columns, console=console, transient=True, expand=True)
                self._progress.start()
            return self._progress

    def run_started(self, record: RunRecord, stages: int) -> None:
        live = self._live()
        live.console.print(f"run [bold]{record.id}[/] of [bold]{record.experiment}[/]: {stages} stages")
        self._bars[""] = live.add_task("stages", total=stages, note="")

    def stage_started(self, name: str, reason: str) -> None:
        live = self._live()
        live.update(self._bars[""], note=name)

    def stage_finished(self, stage: StageRecord) -> None:
        live = self._live()
        live.console.print(finished_line(stage), markup=False, highlight=False)
        live.update(self._bars[""], advance=1, note="")

    def note(self, text: str) -> None:
        self._live().console.print(text, markup=False, highlight=False)

    @contextmanager
    def progress(self, stage: str, description: str, total: int) -> Iterator[Callable[[str], None]]:
        live = self._live()
        bar = live.add_task(f"{stage}: {description}", total=total, note="")
        try:
            yield lambda note: live.update(bar, advance=1, note=note)
        finally:
            live.remove_task(bar)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def finished_line(stage: StageRecord) -> str:
    """Return one line about a finished stage."""
    took = f"{stage.seconds:.2f} s" if stage.state == "ran" else stage.reason.partition("\n")[0]
    again = f" ({stage.attempts} attempts)" if stage.attempts > 1 else ""
    return f"  {MARKS[stage.state]} {stage.name}: {stage.state}, {took}{again}"


def tell_nothing_to_do(prepared: Prepared) -> None:
    """Say that everything is there already, and where."""
    runs = ", ".join(final_runs(prepared.job.graph, prepared.plan))
    count = len(prepared.plan.stages)
    print(
        f"nothing to do: all {count} stages of {prepared.job.experiment.name} are cached, made by run {runs}"
    )
    version = prepared.published()
    if version is not None:
        spec = prepared.job.experiment.publish
        assert spec is not None
        print(f"published: {spec.model} version {version['version']} by run {version['run']}")
        current = version["aliases"].get(spec.alias)
        if current != version["version"]:
            print(f"           {alias_line(spec.alias, current)}")
    record_file = prepared.job.records.file(final_runs(prepared.job.graph, prepared.plan)[-1])
    job = prepared.job
    if any(uri.startswith("lake:") for uri in job.sources_told):
        print(
            f"data:      {_data_read(job.sources.commit, job.experiment.source_ref, job.experiment.config)}"
        )
    print(f"record:    {near(record_file)}")


def _data_read(commit: str, ref: str, config: Mapping[str, Any]) -> str:
    """Say the state of the lake that `lake:` sources were read at, and what chose it."""
    at = (config.get("dataset") or {}).get("at")
    return f"{commit[:12]} ({ref if at is None else f'dataset.at={at}'})"


def alias_line(alias: str, version: int | None) -> str:
    """Say which version an alias names; None where it names none yet."""
    return f"{alias} is version {version}" if version is not None else f"{alias} names no version yet"


def tell_rejected(prepared: Prepared) -> None:
    """Say that nothing runs, because the answer of the gate is known."""
    spec = prepared.job.experiment.publish
    assert spec is not None
    assert spec.gate is not None
    result = prepared.plan[prepared.job.graph.producer[spec.gate]].result
    assert result is not None
    print(f"nothing to do: every stage up to the gate is cached, judged by run {result.run}")


def tell_unfollowed(plan: Plan) -> None:
    """Warn of imports under computed names: what they reach is in no key."""
    for stage in plan.stages:
        for place in stage.key.unfollowed if stage.key else ():
            print(
                f"warning: stage {stage.name}: the import at {place} cannot be followed, so a change behind "
                f"it is not seen; name its modules: stages.{stage.name}.depends_on=[<module>]",
                file=sys.stderr,
            )


def tell_run(record: RunRecord, record_file: Path, head: str, server_hint: str = "") -> None:
    """Print the end of a run: stages, metrics, gate, and where everything is."""
    out = sys.stdout
    _print_stages(record, out)
    if record.metrics:
        figures = [f"{name} {value:.4g}" for name, value in record.metrics.items()]
        _print_folded("metrics   ", figures, out)
    if record.gate is not None:
        _print_gate(record.gate, out)
    if record.published:
        p = record.published
        print(f"published {p['model']} version {p['version']}, alias {p['alias']}", file=out)
    elif record.already:
        p = record.already
        current = alias_line(p["alias"], p["alias_version"])
        print(f"published {p['model']} version {p['version']} already ({current})", file=out)
    elif record.state == "succeeded" and (why := _why_unpublished(record)):
        print(f"published nothing ({why})", file=out)
    print(f"run       {record.id}  ({record.state}, {record.seconds:.1f} s)", file=out)
    moved = f", main at {record.published['commit'][:12]}" if record.published else ""
    if any(source["uri"].startswith("lake:") for stage in record.stages for source in stage.sources.values()):
        said = _data_read(record.source["commit"], record.source["ref"], record.config)
        print(f"data      {said}", file=out)
    print(f"lake      branch {record.branch} at {head[:12]}{moved}", file=out)
    print(f"record    {near(record_file)}", file=out)
    if record.wandb:
        where = record.wandb.get("url") or record.wandb.get("dir")
        print(f"W&B       {where}", file=out)
    if record.prefect.get("url"):
        print(f"Prefect   {record.prefect['url']}", file=out)
        if server_hint:
            print(f"          ({server_hint})", file=out)
    if record.error:
        print(f"\n{record.state}: {record.error}", file=out)
    if record.state in ("failed", "interrupted"):
        print("\nfinished stages are kept; to resume, type:", file=out)
        print(record.resume, file=out)
    out.flush()


def _why_unpublished(record: RunRecord) -> str:
    for option in ("only", "stop_after"):
        if record.config.get(option):
            return f"{option}={record.config[option]}"
    return f"publish={json.dumps(record.config['publish'])}" if "publish" in record.config else ""


def near(path: Path) -> str:
    """Return a path as one would type it here: relative where it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _print_stages(record: RunRecord, out: TextIO) -> None:
    width = max([len(stage.name) for stage in record.stages] + [5])
    print(f"\n{'stage':<{width}}  state    seconds  why", file=out)
    for stage in record.stages:
        seconds = f"{stage.seconds:7.2f}" if stage.state == "ran" else "      -"
        reason = stage.reason.partition("\n")[0]
        print(f"{stage.name:<{width}}  {stage.state:<7}  {seconds}  {reason}".rstrip(), file=out)
    print(file=out)


def _print_folded(label: str, words: Sequence[str], out: TextIO) -> None:
    """Print words behind a label; on a terminal in as many lines as they need, none of them cut."""
    width = shutil.get_terminal_size().columns if out.isatty() else 0
    line = label
    for word in words:
        if width and len(line) + len(word) > width and line.strip() and line != label:
            print(line.rstrip(), file=out)
            line = " " * len(label)
        line += f"{word}  "
    print(line.rstrip(), file=out)


def _print_gate(gate: Mapping[str, Any], out: TextIO) -> None:
    """Print the verdict: in a line where that says all, else with a line for each check."""
    checks = gate.get("checks", [])
    verdict = "passed" if gate["passed"] else "says no"
    if gate["passed"] and not all(c["passed"] for c in checks):
        verdict = "not enforced"
    if len(checks) <= CHECKS_IN_A_LINE:
        told = "; ".join(map(short_line, checks))
        print(f"gate      {verdict} ({told or 'no thresholds'})", file=out)
        return
    print(f"gate      {verdict}", file=out)
    for check in sorted(checks, key=lambda check: bool(check["passed"])):
        print(f"          {'✓' if check['passed'] else '✗'} {short_line(check)}", file=out)
