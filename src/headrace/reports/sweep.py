"""The report of a sweep: which job is best, what each came to, which params decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headrace.core.report import (
    Block,
    Cell,
    Code,
    Facts,
    Figure,
    Report,
    Row,
    Section,
    Table,
    Text,
    Verdict,
    keep,
)
from headrace.core.sweep import ENDED, GOOD, SweepRecord, TrialRecord
from headrace.reports import sweep_charts as charts
from headrace.reports.numbers import percent, tell

if TYPE_CHECKING:
    from headrace.adapters.search_optuna import Importance

JOBS_AT_MOST = 200
METRICS_AT_MOST = 6  # in the table of jobs, beside the objective
FAILED_AT_MOST = 20
STILL_WIDTH = 640  # of a picture; a live chart takes the width that it finds

Draw = Callable[[Mapping[str, Any]], bytes]
"""Draws a Vega-Lite specification as PNG."""

Rank = Callable[[SweepRecord, str], "Importance"]


def build(record: SweepRecord, state: str = "", draw: Draw | None = None, rank: Rank | None = None) -> Report:
    """Say what a sweep came to.

    Args:
        record: The sweep.
        state: What became of it where the record does not know, such as `killed`.
        draw: Makes the pictures of the charts; without, they have none.
        rank: Ranks the params; None asks Optuna.
    """
    state = state or record.state
    shares, unranked = _rank(record, rank)
    return Report(
        title=f"Sweep of {record.experiment}",
        subtitle=f"{record.id}, started {record.started}",
        sections=keep(
            Section("Summary", tuple(_summary(record, state))),
            Section("Course", tuple(_course(record, draw))),
            Section("Params", tuple(_params(record, shares, unranked, draw))),
            Section("Jobs", tuple(_jobs(record))),
            Section("Failures", tuple(_failures(record))),
            Section("Reproduce", tuple(_commands(record, state))),
        ),
    )


def _rank(record: SweepRecord, rank: Rank | None) -> tuple[dict[str, float], str]:
    """Return the share of each param, and what is to be said of them or of why there are none."""
    if not record.objective:
        return {}, "No objective was named, so no param can be said to matter for it."
    from headrace.adapters.search_optuna import rank_params

    metric = next(iter(record.objective))
    found = (rank or rank_params)(record, metric)
    if len(found.shares) < 2:
        return {}, f"Which param matters most for {metric} is not told: {found.why}."
    text = (
        f"How much of the variance of {metric} over the space each param explains alone: functional ANOVA "
        "on a random forest (Hutter, Hoos, Leyton-Brown 2014). A hint, not a proof: it is about the space "
        "that was searched, and as good as the jobs are many."
    )
    if found.left_out:
        text += f" Left out, because not every job was given them: {', '.join(found.left_out)}."
    return found.shares, text


# --- summary ----------------------------------------------------------------------------------


def _summary(record: SweepRecord, state: str) -> Iterator[Block]:
    ranked = record.ranked()
    if not ranked:
        yield Verdict("No job has a result.", "bad" if state != "running" else "neutral")
    elif not record.objective:
        yield Verdict("No objective was named, so no job is the best.")
    else:
        yield Verdict(_best_text(record, ranked[0]), "good" if state == "succeeded" else "neutral")
    counts = Counter(trial.state for trial in record.trials)
    rows: list[tuple[str, Cell]] = [
        ("state", state),
        ("jobs", ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"),
        ("took", f"{record.seconds:.1f} s"),
    ]
    if record.objective:
        said = [f"{name} ({direction})" for name, direction in record.objective.items()]
        rows.append(("objective", ", ".join(said)))
    if record.published:
        published = record.published
        rows.append(("published", f"{published.get('model')} version {published.get('version')}"))
    if record.prefect.get("url"):
        rows.append(("Prefect", str(record.prefect["url"])))
    if record.error:
        rows.append(("error", record.error.partition("\n")[0]))
    yield Facts(tuple(rows))


def _best_text(record: SweepRecord, best: TrialRecord) -> str:
    figures = ", ".join(f"{name} {tell(best.metrics[name])}" for name in record.objective)
    what = ", ".join(f"{name}={_cell(value)}" for name, value in best.params.items())
    if len(record.objective) > 1:
        front = len(record.front())
        return (
            f"{front} {'job is' if front == 1 else 'jobs are'} dominated by no other; "
            f"the first of them is job {best.number}: {figures} with {what}."
        )
    said = f"Job {best.number} is best: {figures} with {what}."
    if best.state == "rejected":
        said += " Its gate says no, as it would again."
    return said


# --- figures ----------------------------------------------------------------------------------


def _course(record: SweepRecord, draw: Draw | None) -> Iterator[Block]:
    pruned = sum(trial.state == "pruned" for trial in record.trials)
    figures = [
        _history(record, metric, spec, pruned, draw)
        for metric in record.objective or _logged(record)[:1]
        if (spec := charts.history(record, metric)) is not None
    ]
    if (spec := charts.front(record)) is not None:
        alt = f"{len(record.front())} of {len(record.ranked())} jobs are dominated by no other"
        figures.append(_figure("Objectives against each other", alt, "", spec, draw))
    if (spec := charts.interim_scores(record)) is not None:
        alt = f"interim scores of the jobs by step; {pruned} jobs were pruned"
        figures.append(_figure("Interim scores", alt, "Point at a line to see its job.", spec, draw))
    if figures:
        yield Row(tuple(figures))


def _history(record: SweepRecord, metric: str, spec: charts.Spec, pruned: int, draw: Draw | None) -> Figure:
    ranked = record.ranked()
    alt = f"{metric} by job, {len(ranked)} jobs with a result"
    if record.objective and ranked:
        alt += f"; the best, job {ranked[0].number}, has {tell(ranked[0].metrics.get(metric))}"
    said = ["The line is the best so far."] if metric in record.objective else []
    if pruned and metric == next(iter(record.objective), None):
        said.append(f"{pruned} pruned, shown by their last interim score, at the edge where it is far off.")
    return _figure(f"{metric} by job", alt, " ".join(said), spec, draw)


def _params(
    record: SweepRecord, shares: Mapping[str, float], said: str, draw: Draw | None
) -> Iterator[Block]:
    spec = charts.parallel_coordinates(record, shares)
    if spec is None:
        return
    metric = next(iter(record.objective))
    alt = f"one line a job from its params to {metric}, coloured by {metric}"
    caption = "Each line is a job. Axes of params that were drawn by their logarithm are logarithmic."
    yield _figure("From params to result", alt, caption, spec, draw)
    if (spec := charts.importance(shares)) is not None:
        alt = "; ".join(f"{name} {percent(share)}" for name, share in shares.items())
        yield _figure("Which params decide", alt, said, spec, draw)
    else:
        yield Text(said)


def _figure(title: str, alt: str, caption: str, spec: charts.Spec, draw: Draw | None) -> Figure:
    spec = {**spec, "description": alt}
    return Figure(
        title=title,
        alt=alt,
        caption=caption,
        spec=spec,
        png=draw({**spec, "width": STILL_WIDTH}) if draw else b"",
    )


# --- jobs -------------------------------------------------------------------------------------


def _jobs(record: SweepRecord) -> Iterator[Block]:
    ranked = record.ranked()
    placed = {trial.number for trial in ranked}
    trials = [*ranked, *(trial for trial in record.trials if trial.number not in placed)]
    if not trials:
        return
    others = [name for name in _logged(record) if name not in record.objective][:METRICS_AT_MOST]
    metrics = [*record.objective, *others]
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    rows = tuple(
        (
            trial.number,
            *(trial.params.get(name) if name in trial.params else "" for name in params),
            *(trial.metrics.get(name) for name in metrics),
            trial.state,
            round(trial.seconds, 1) or None,
        )
        for trial in trials[:JOBS_AT_MOST]
    )
    caption = "The best first." if record.objective and ranked else ""
    yield Table(
        columns=("job", *params, *metrics, "state", "seconds"),
        rows=rows,
        caption=caption,
        more=max(len(trials) - JOBS_AT_MOST, 0),
    )


def _failures(record: SweepRecord) -> Iterator[Block]:
    failed = [trial for trial in record.trials if trial.state == "failed"]
    if failed:
        rows = tuple(
            (trial.number, ", ".join(trial.overrides), (trial.error or "").strip().partition("\n")[0])
            for trial in failed[:FAILED_AT_MOST]
        )
        more = max(len(failed) - FAILED_AT_MOST, 0)
        yield Table(columns=("job", "overrides", "error"), rows=rows, more=more)


def _commands(record: SweepRecord, state: str) -> Iterator[Block]:
    yield Text("The sweep again:")
    yield Code(record.command)
    ranked = record.ranked()
    if record.objective and ranked:
        yield Text("For the command that runs the best job alone, and publishes it if its gate says yes:")
        yield Code(f"headrace best {record.id}")
    if state != "running" and any(trial.state not in ENDED for trial in record.trials):
        yield Text("Finished jobs are kept. To go on:")
        yield Code(record.resume)


def _logged(record: SweepRecord) -> list[str]:
    return list(
        dict.fromkeys(name for trial in record.trials if trial.state in GOOD for name in trial.metrics)
    )


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
