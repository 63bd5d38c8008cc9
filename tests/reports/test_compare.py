"""The report that compares runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrace.core.record import RunRecord
from headrace.core.report import Block, Facts, Report, Row, Table, Text, Verdict
from headrace.reports.compare import build

from .runs import PIXEL, Bench

ROWS = pd.DataFrame({"x": [1.0, 2.0, 3.0] * 20})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def evaluation(value: float, low: float, high: float, women: float = 0.5) -> dict[str, Any]:
    entry = {"value": value, "low": low, "high": high, "greater_is_better": True}
    groups = [{"name": "sex=Female", "rows": 40, "metrics": {"accuracy": {"value": women, "low": None}}}]
    return {"level": 0.95, "metrics": {"accuracy": entry}, "slices": [{"by": ["sex"], "groups": groups}]}


def run(bench: Bench, value: float, half: float = 0.01, women: float = 0.5, **changes: Any) -> RunRecord:
    known: dict[str, Any] = {
        "metrics": {"accuracy": value, "log_loss": 1 - value},
        "config": {"model": {"C": value}, "stages": {"train": {"params": {"estimator": {"C": value}}}}},
    }
    artifacts = {
        "evaluation": evaluation(value, value - half, value + half, women),
        "test": ROWS,
        "valid": ROWS,
        "figures": PIXEL,
    }
    return bench.run({**artifacts, **changes.pop("artifacts", {})}, **{**known, **changes})


def section(report: Report, title: str) -> tuple[Block, ...]:
    return next((one.blocks for one in report.sections if one.title == title), ())


def verdict(report: Report) -> str:
    (found,) = [block for block in section(report, "Summary") if isinstance(block, Verdict)]
    return found.text


def test_two_runs(bench: Bench) -> None:
    """Who leads and whether that may be chance; metrics with intervals, groups, figures, what differs."""
    report = build([run(bench, 0.8), run(bench, 0.9, women=0.7)], bench.lake)
    assert verdict(report) == (
        "B has the best accuracy: A 0.8, B 0.9. Its interval is apart from those of the others."
    )
    (metrics,) = section(report, "Metrics")
    assert isinstance(metrics, Table)
    assert metrics.columns == ("metric", "better", "A", "B", "B - A")
    assert metrics.rows == (
        ("accuracy", "up", "0.8 [0.79, 0.81]", "0.9 [0.89, 0.91]", "+0.1"),
        ("log_loss", "down", "0.2", "0.1", "-0.1"),
    )
    (slices,) = section(report, "Slices")
    assert isinstance(slices, Table)
    assert slices.rows == (("sex=Female", 40, "0.5", "0.7", "+0.2"),)
    (figures,) = section(report, "Figures")
    assert isinstance(figures, Row)
    assert [(one.title, one.alt, one.png) for one in figures.figures] == [
        ("A: ROC", "A: a curve", PIXEL),
        ("B: ROC", "B: a curve", PIXEL),
    ]
    facts = next(block for block in section(report, "Summary") if isinstance(block, Facts))
    assert [name for name, _ in facts.rows] == ["A", "B"]


def test_what_differs_is_told_once(bench: Bench) -> None:
    """A stage's param that only repeats the model's is left out; artifacts are one sentence."""
    report = build([run(bench, 0.8), run(bench, 0.9)], bench.lake)
    table, said = section(report, "What differs")
    assert isinstance(table, Table)
    assert table.rows == (("config", "model.C", "0.8", "0.9"),)
    assert said == Text("In B other than in A came out: all.evaluation.")


def test_code_that_changed_names_functions(bench: Bench) -> None:
    """Where what the modules defined was kept."""
    sides = [run(bench, 0.8), run(bench, 0.8)]
    for number, record in enumerate(sides):
        record.stages[0].key_parts = {"code": {"pkg.mod": f"sha256:{number}"}}
    known = {"sha256:0": {"scale": "1"}, "sha256:1": {"scale": "2"}}
    (table,) = section(build(sides, bench.lake, known.get), "What differs")
    assert isinstance(table, Table)
    assert table.rows[0][:2] == ("code", "pkg.mod")
    assert "scale" in str(table.rows[0][3])


@pytest.mark.parametrize(
    ("values", "half", "said"),
    [
        ((0.8, 0.81), 0.05, "B has the best accuracy: A 0.8, B 0.81. Its interval overlaps that of A"),
        ((0.8, 0.8), 0.05, "All have the same metrics, accuracy 0.8."),
        ((0.9, 0.8, 0.9), 0.01, "A and C have the best accuracy"),
    ],
)
def test_the_verdict_says_how_sure_it_is(
    bench: Bench, values: tuple[float, ...], half: float, said: str
) -> None:
    """Overlapping intervals, ties, three runs."""
    assert said in verdict(build([run(bench, value, half) for value in values], bench.lake))


def test_a_tie_is_decided_by_the_next_metric(bench: Bench) -> None:
    """The first that differs, of those that all runs have."""
    other = run(bench, 0.8, metrics={"accuracy": 0.8, "log_loss": 0.1})
    said = verdict(build([run(bench, 0.8), other], bench.lake))
    assert said == "All have the same accuracy, 0.8. B has the best log_loss: A 0.2, B 0.1."


def test_other_test_rows_make_no_verdict_of_their_own(bench: Bench) -> None:
    """That the rows differ is said, and the data's drift is told."""
    moved = {"test": ROWS + 5, "valid": ROWS + 5}
    report = build([run(bench, 0.8), run(bench, 0.9, artifacts=moved)], bench.lake)
    assert "measured on different rows" in verdict(report)
    said, table = section(report, "Data")
    assert isinstance(said, Text)
    assert "x drifts" in said.text
    assert isinstance(table, Table)


def test_runs_that_have_nothing_in_common(bench: Bench) -> None:
    """Without artifacts and metrics there is still a report of what differs."""
    report = build([bench.run({}, seed=1), bench.run({}, seed=2)], bench.lake)
    assert verdict(report) == "The runs have no metric in common."
    (table,) = section(report, "What differs")
    assert isinstance(table, Table)
    assert table.rows == (("result", "seed", "1", "2"),)
    assert section(report, "Figures") == ()


def test_what_is_gone_is_told_and_the_rest_stands(bench: Bench) -> None:
    """An artifact that the lake has lost is named."""
    lost = run(bench, 0.8)
    for artifact in lost.stages[0].outputs.values():
        object.__setattr__(artifact, "uri", f"lake://{artifact.commit}/gone/{artifact.path}")
    report = build([lost, run(bench, 0.9)], bench.lake)
    assert any(
        "evaluation cannot be read" in b.text for b in section(report, "Not read") if isinstance(b, Text)
    )
    assert section(report, "Metrics")
