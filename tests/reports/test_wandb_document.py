"""What W&B is told of a report: the same text, panels over its runs, and no row that is to stay here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrace.adapters.report_wandb import Document
from headrace.core.record import RunRecord
from headrace.core.report import Folded, Report, Section, Table
from headrace.reports import run, sweep
from headrace.reports.wandb_document import document_of_comparison, document_of_run, document_of_sweep
from tests.reports.runs import PIXEL, Bench
from tests.reports.sweeps import make_sweep


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def text_of(document: Document) -> str:
    return "\n".join(block["text"] for block in document.blocks if "text" in block)


def panels_of(document: Document) -> dict[str, Any]:
    (grid,) = [block for block in document.blocks if block["block"] == "grid"]
    return {panel["panel"]: panel for panel in grid["panels"]}


def report_of(bench: Bench, **changes: Any) -> tuple[Report, RunRecord]:
    errors = pd.DataFrame({"bird": ["planted-robin"], "api_key": ["planted-key"], "loss": [2.5]})
    failure = {"column": "beak", "check": "positive", "count": 1, "examples": [{"row": 3, "value": "-7.25"}]}
    validation = {"rows": 9, "rejected": 1, "share": 0.1, "on_invalid": "drop", "failures": [failure]}
    made = {"errors": errors, "figures": PIXEL, "validation": validation}
    record = bench.run(made, metrics={"accuracy": 0.5}, **changes)
    return run.build(record, bench.lake), record


def test_a_run_is_its_panels_its_text_and_its_lineage(bench: Bench) -> None:
    """Every section of the report has a heading and its text, between the grid and the artifacts."""
    report, record = report_of(bench)
    document = document_of_run(record.id, report, record)
    kinds = [block["block"] for block in document.blocks]
    assert (kinds[0], kinds[-1]) == ("grid", "lineage")
    assert [block["text"] for block in document.blocks if block["block"] == "heading"] == [
        section.title for section in report.sections
    ]
    assert (document.title, document.name) == (f"Run of toy {record.id}", record.id)
    assert panels_of(document).keys() == {"comparer", "bars"}
    assert document.runs == [record.id]
    assert Document.from_json(document.to_json()) == document


def test_what_w_and_b_does_not_draw_is_words(bench: Bench) -> None:
    """The pipeline is drawn in characters, a figure is told by its alt text, and no file is linked."""
    report, record = report_of(bench)
    text = text_of(document_of_run(record.id, report, record))
    assert "mermaid" not in text
    assert "│" in text
    assert "| ROC | a curve c |" in text
    assert ".png" not in text


def test_rows_go_along_unless_the_tracker_keeps_them(bench: Bench) -> None:
    """With `tracker.tables: false` neither the worst errors nor examples of failures leave this machine."""
    report, record = report_of(bench)
    text = text_of(document_of_run(record.id, report, record))
    assert ("planted-robin" in text, "row 3: -7.25" in text) == (True, True)
    report, record = report_of(bench, config={"tracker": {"tables": False}})
    text = text_of(document_of_run(record.id, report, record))
    assert ("planted-robin" in text, "-7.25" in text, "Worst errors" in text) == (False, False, False)
    assert "positive" in text


def test_secrets_stay_here(bench: Bench) -> None:
    """A column whose name says secret is left out, and so is what authorises inside a text."""
    report, record = report_of(bench, state="failed", error="no answer of https://me:planted-pass@host/x")
    text = text_of(document_of_run(record.id, report, record))
    assert "planted-key" not in text
    assert "planted-pass" not in text
    assert "host/x" in text


def test_a_sweep_has_params_against_its_objective() -> None:
    """Params are named as in W&B's config, a wide one by its logarithm, and their importance is asked for."""
    record = make_sweep()
    runs = [
        Bench.record(id=trial.run, config={"model": {"_target_": "a.B", "C": 1.0, "depth": 2}})
        for trial in record.ranked()
    ]
    document = document_of_sweep(record.id, sweep.build(record), record, runs)
    panels = panels_of(document)
    assert panels["parallel"]["params"] == {"model._target_": False, "model.C": True, "model.depth": False}
    assert panels["parallel"]["objectives"] == {"accuracy": "maximize"}
    assert panels["importance"]["metric"] == "accuracy"
    assert document.blocks[0]["group"] == record.id
    assert [block["run"] for block in document.blocks if block["block"] == "lineage"] == [
        record.ranked()[0].run
    ]


def test_a_sweep_without_an_objective_has_no_parallel_coordinates() -> None:
    """Nothing says which figure matters, so only the runs are compared."""
    record = make_sweep(objective={})
    document = document_of_sweep(record.id, sweep.build(record), record, [])
    assert panels_of(document).keys() == {"comparer"}


def test_compared_runs_show_what_differs() -> None:
    """The comparer shows differences, and both runs have their artifacts."""
    runs = [Bench.record(id="a", metrics={"f1": 0.1}), Bench.record(id="b", metrics={"f1": 0.2})]
    document = document_of_comparison("a-with-b", Report(title="two runs"), runs)
    assert panels_of(document)["comparer"]["only_differences"] is True
    assert panels_of(document)["bars"]["metrics"] == ["f1"]
    assert document.runs == ["a", "b"]


def test_title_fits() -> None:
    """A title is at most W&B's 128 characters, and one that its URL takes."""
    document = document_of_comparison("x", Report(title="a/b?c#d " + "long " * 40), [])
    assert len(document.title) <= 128
    assert document.title.startswith("a b c d long")
    assert document.title.endswith("…")


def test_empty_sections_are_left_out() -> None:
    """A section of which nothing may be shown has no heading either."""
    table = Table(columns=("bird",), rows=(("planted-robin",),))
    kept = Bench.record(id="a", config={"tracker": {"tables": False}})
    report = Report(title="t", sections=(Section("Worst errors", (table,)),))
    assert text_of(document_of_run("a", report, kept)) == ""


def test_what_is_folded_is_told_and_guarded_too() -> None:
    """W&B folds nothing: the blocks inside stand below their title, without values that are to stay."""
    table = Table(columns=("column", "values"), rows=(("beak", "planted-long"), ("api_key", "planted-key")))
    kept = Bench.record(id="a", config={"tracker": {"tables": False}})
    report = Report(title="t", sections=(Section("Data", (Folded("All columns", (table,)),)),))
    text = text_of(document_of_run("a", report, kept))
    assert "<details>" not in text
    assert ("All columns" in text, "beak" in text, "planted" in text) == (True, True, False)
