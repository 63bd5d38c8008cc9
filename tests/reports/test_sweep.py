"""The report of a sweep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.core.report import Code, Facts, Report, Table, Text, Verdict
from headrace.core.sweep import SweepRecord
from headrace.reports.sweep import build

from .sweeps import make_sweep


def texts(report: Report) -> str:
    blocks = [block for section in report.sections for block in section.blocks]
    return "\n".join(block.text for block in blocks if isinstance(block, Text | Verdict | Code))


def table(report: Report, title: str) -> Table:
    (section,) = [section for section in report.sections if section.title == title]
    (found,) = [block for block in section.blocks if isinstance(block, Table)]
    return found


def test_what_a_search_came_to() -> None:
    """The best job, jobs by state, figures with pictures and alternative texts, and what to type next."""
    record = make_sweep(jobs=16)
    report = build(record, draw=lambda spec: b"png")
    best = record.ranked()[0]
    assert f"Job {best.number} is best" in texts(report)
    assert f"headrace best {record.id}" in texts(report)
    assert record.command in texts(report)
    facts = dict(next(b for s in report.sections for b in s.blocks if isinstance(b, Facts)).rows)
    assert facts["jobs"] == "12 succeeded, 4 pruned"
    figures = list(report.figures())
    assert [figure.title for figure in figures] == [
        "accuracy by job",
        "Interim scores",
        "From params to result",
        "Which params decide",
    ]
    assert all(figure.alt and figure.png and figure.spec for figure in figures)
    assert "Left out, because not every job was given them: model.depth" in figures[-1].caption


def test_the_table_of_jobs_has_the_best_first() -> None:
    """With params, metrics, state and time; those without a result come after."""
    record = make_sweep()
    jobs = table(build(record), "Jobs")
    assert jobs.columns == (
        *("job", "model", "model.C", "model.depth", "accuracy", "log_loss", "state", "seconds"),
    )
    order = [row[0] for row in jobs.rows]
    assert order[: len(record.ranked())] == [trial.number for trial in record.ranked()]
    assert sorted(order) == list(range(12))
    assert all(len(row) == len(jobs.columns) for row in jobs.rows)


def test_a_large_sweep_is_cut_in_the_table() -> None:
    """How many are left out stands there."""
    jobs = table(build(make_sweep(jobs=300)), "Jobs")
    assert (len(jobs.rows), jobs.more) == (200, 100)


def test_failures_are_told_by_their_first_line() -> None:
    """With the overrides that led to them."""
    record = make_sweep()
    record.trials[1] = replace(record.trials[1], state="failed", metrics={}, error="ValueError: no\nmore")
    (row,) = table(build(record), "Failures").rows
    assert row[0] == 1
    assert row[2] == "ValueError: no"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (make_sweep(jobs=0), "No job has a result."),
        (make_sweep(objective={}), "No objective was named"),
        (make_sweep(jobs=5), "4 jobs have a result, and it takes 10"),
        (make_sweep(objective={"accuracy": "maximize", "log_loss": "minimize"}), "dominated by no other"),
    ],
)
def test_every_sweep_has_a_report(record: SweepRecord, said: str) -> None:
    """Empty, without an objective, small, with several objectives."""
    assert said in texts(build(record))


def test_a_sweep_that_was_cut_off_says_how_to_go_on() -> None:
    """A killed one is called that, whatever its record says."""
    record = make_sweep(state="running")
    record.trials[0] = replace(record.trials[0], state="interrupted")
    report = build(record, state="killed")
    facts = dict(next(b for s in report.sections for b in s.blocks if isinstance(b, Facts)).rows)
    assert facts["state"] == "killed"
    assert record.resume in texts(report)
    assert record.resume not in texts(build(make_sweep()))
