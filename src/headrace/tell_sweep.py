"""What a sweep shows: its plan, its jobs as they end, and a table of what they came to."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from headrace.core.sweep import ENDED, GOOD, SweepRecord, TrialRecord
from headrace.tell import near

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from headrace.adapters.sweep_files import SweepFiles
    from headrace.sweep_plan import SweepPlan

ROWS_AT_MOST = 20
CELL_AT_MOST = 32
UNCUT = 10_000  # columns of what is no terminal
WITHOUT_OBJECTIVE = 3  # metrics that are shown where none is the objective


def plan_line(plan: SweepPlan) -> str:
    """Say in one line what a sweep comes to."""
    jobs = "1 job" if plan.jobs == 1 else f"{plan.jobs} jobs"
    return (
        f"{jobs}, {plan.stage_runs} stage runs: {plan.distinct} distinct stages, "
        f"{plan.cached} cached already, {plan.execute} to execute"
    )


def tell_plan(plan: SweepPlan) -> None:
    """Print what is to run, before anything does."""
    print(plan_line(plan), file=sys.stderr)
    if plan.shared and plan.jobs > 1 and plan.execute:
        print(f"once for all jobs: {', '.join(plan.shared)}", file=sys.stderr)


def tell_space(keys: Sequence[str], trials: int | None, plan: SweepPlan) -> None:
    """Print what a search is to do. `plan` is that of some points which differ in every key."""
    count = "trials until the time is up" if trials is None else f"{trials} trials"
    each = [stage.name for stage in plan.stages if stage.name not in plan.shared]
    print(f"{count} over {', '.join(keys)}", file=sys.stderr)
    if plan.shared:
        print(f"once for all trials: {', '.join(plan.shared)}; in each: {', '.join(each)}", file=sys.stderr)


def open_display(record: SweepRecord, total: int | None) -> LineDisplay | BarDisplay:
    """Return a display with a bar for a terminal, and plain lines for everything else."""
    return BarDisplay(record, total) if sys.stderr.isatty() else LineDisplay(sys.stderr)


class LineDisplay:
    """One line for each job that ends: reads well in a log file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def trial_started(self, trial: TrialRecord) -> None:
        return

    def trial_finished(self, trial: TrialRecord, record: SweepRecord, total: int | None) -> None:
        self.note(trial_line(trial, record, total))

    def note(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        return


class BarDisplay:
    """A line for each job that ends, and below them how far the sweep is."""

    def __init__(self, record: SweepRecord, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._running = 0
        self._live: Progress = Progress(
            TextColumn("jobs", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        done = sum(trial.state in (*GOOD, "pruned", "failed") for trial in record.trials)
        self._bar: TaskID = self._live.add_task("", total=total, completed=done, note="")
        self._live.start()

    def trial_started(self, trial: TrialRecord) -> None:
        self._running += 1
        self._live.update(self._bar, note=f"{self._running} running")

    def trial_finished(self, trial: TrialRecord, record: SweepRecord, total: int | None) -> None:
        self._running -= 1
        self.note(trial_line(trial, record, total))
        self._live.update(self._bar, advance=1, note=f"{self._running} running")

    def note(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()


def trial_line(trial: TrialRecord, record: SweepRecord, total: int | None) -> str:
    """Say in one line how a job ended."""
    of = f"/{total}" if total is not None else ""
    told = " ".join(f"{name} {trial.metrics[name]:.4g}" for name in _metrics(record) if name in trial.metrics)
    what = ", ".join(f"{name}={_cell(value)}" for name, value in trial.params.items())
    why = "" if trial.state in GOOD else f": {(trial.error or '').partition(chr(10))[0]}".rstrip(": ")
    took = f" in {trial.seconds:.1f} s" if trial.seconds else ""
    return f"  job {trial.number}{of}  {what}  {told}  {trial.state}{took}{why}".replace("    ", "  ")


def tell_results(record: SweepRecord, files: SweepFiles) -> None:
    """Print the end of a sweep: its jobs, the best first, what failed, and what to type next."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT
    print()
    for line in table(record, width, ROWS_AT_MOST):
        print(line)
    for line in failures(record, files, ROWS_AT_MOST):
        print(line)
    print(f"\nsweep     {record.id}  ({record.state}, {counts(record)}, {record.seconds:.1f} s)")
    print(f"record    {near(files.file(record.id))}")
    if record.prefect.get("url"):
        print(f"Prefect   {record.prefect['url']}")
    ranked = record.ranked()
    if record.objective and ranked:
        print(f"best      job {ranked[0].number}; to run it alone and publish it: headrace best {record.id}")
    if record.error:
        print(f"\n{record.state}: {record.error}")
    if record.state == "running":
        print("\nits jobs go on without this command; to wait for them and see what they came to, type:")
        print(f"{record.resume} hydra.launcher.wait=true")
    elif record.state == "interrupted" or any(trial.state not in ENDED for trial in record.trials):
        print(f"\nfinished jobs are kept; to go on, type:\n{record.resume}")
    sys.stdout.flush()


def failures(record: SweepRecord, files: SweepFiles, rows: int | None = None) -> Iterator[str]:
    """Yield for each job that failed the first line of why, and where its log lies."""
    failed = [trial for trial in record.trials if trial.state == "failed"]
    shown = failed if rows is None else failed[:rows]
    for trial in shown:
        first = (trial.error or "").strip().partition("\n")[0]
        yield ""
        yield f"job {trial.number} failed: {first}"
        log = files.job(record.id, trial.number) / "job.log"
        if log.is_file():
            yield f"  its log: {near(log)}"
    if len(failed) > len(shown):
        yield ""
        yield f"… and {len(failed) - len(shown)} more failed: headrace sweeps {record.id}"


def tell_best(best: TrialRecord) -> None:
    """Say that the best job is about to be published."""
    print(f"\npublishing the best, job {best.number}:", flush=True)


def tell_no_best() -> None:
    """Say that what was to be published is not there."""
    print("\nnothing is published: no job has a result", file=sys.stderr)


def table(record: SweepRecord, width: int, rows: int | None = None) -> list[str]:
    """Return the jobs of a sweep as lines: those with results first, the best on top."""
    ranked = record.ranked()
    placed = {trial.number for trial in ranked}
    trials = [*ranked, *(trial for trial in record.trials if trial.number not in placed)]
    shown = trials if rows is None else trials[:rows]
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    metrics = _metrics(record)
    lines = [["job", *metrics, "state", "seconds", *params]]  # what is cut on a terminal comes last
    for trial in shown:
        figures = [f"{trial.metrics[name]:.4g}" if name in trial.metrics else "-" for name in metrics]
        values = [_cell(trial.params.get(name, "-")) for name in params]
        seconds = f"{trial.seconds:.1f}" if trial.seconds else "-"
        lines.append([str(trial.number), *figures, trial.state, seconds, *values])
    sizes = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(size) for cell, size in zip(line, sizes, strict=True)) for line in lines]
    told = [line.rstrip() if len(line.rstrip()) <= width else f"{line[: width - 1]}…" for line in text]
    if len(trials) > len(shown):
        told.append(f"… and {len(trials) - len(shown)} more: headrace sweeps {record.id}")
    return told


def alone_command(record: SweepRecord, overrides: Sequence[str]) -> str:
    """Return what to type to run a job alone."""
    return shlex.join(["python", "-m", f"flows.{record.flow}", *overrides])


def _metrics(record: SweepRecord) -> list[str]:
    if record.objective:
        return list(record.objective)
    names = dict.fromkeys(name for trial in record.trials for name in trial.metrics)
    return list(names)[:WITHOUT_OBJECTIVE]


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL_AT_MOST else f"{text[: CELL_AT_MOST - 1]}…"


def counts(record: SweepRecord) -> str:
    """Say how many jobs are in which state."""
    states = [trial.state for trial in record.trials]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no jobs"
