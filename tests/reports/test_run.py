"""The report of a run: everything that is known of it, and nothing that is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrace.core.record import StageRecord
from headrace.core.report import Block, Code, Facts, Folded, Picture, Points, Report, Table, Verdict
from headrace.reports.html import to_html
from headrace.reports.run import build

from .runs import PIXEL, Bench

METRIC = {"value": 0.9, "low": 0.7, "high": 0.95, "greater_is_better": True, "baseline": 0.5}
COMPARED = {**METRIC, "champion": 0.8, "gain": 0.1, "gain_low": -0.01, "gain_high": 0.2}
EVALUATION = {
    "task": "binary", "rows": 100, "classes": ["n", "y"], "positive": "y", "level": 0.95, "resamples": 1000,
    "threshold": {"rule": {"maximize": "f1"}, "value": 0.4, "rows": 50}, "baseline": "prior",
    "champion": {"digest": "x"}, "metrics": {"accuracy": COMPARED},
    "slices": [{"by": ["sex"], "groups": [
        {"name": "sex=f", "rows": 20, "metrics": {"accuracy": METRIC}},
        {"name": "sex=m", "rows": 80, "metrics": {"accuracy": {"value": None, "why": "one class"}}},
    ]}],
    "fairness": [{"attribute": "sex", "groups": [{"name": "sex=f", "rows": 20, "selection_rate": 0.5}],
                  "differences": {"equalized_odds_difference": 0.25}}],
}  # fmt: skip
VALIDATION = {
    "rows": 100, "rejected": 3, "share": 0.03, "on_invalid": "quarantine",
    "failures": [{"column": "age", "check": "in_range", "count": 3, "examples": [{"row": 7, "value": -1}]}],
}  # fmt: skip
ARTIFACTS = {
    "valid": pd.DataFrame({"age": [1.0, 2.0, None]}), "validation": VALIDATION, "evaluation": EVALUATION,
    "figures": PIXEL, "errors": pd.DataFrame({"age": [float(n) for n in range(30)], "loss": [0.1] * 30}),
}  # fmt: skip
GATE = {"passed": False, "checks": [
    {"metric": "accuracy", "rule": "min", "wanted": 0.5, "found": 0.9, "passed": True},
    {"metric": "accuracy", "slice": "sex=f", "rule": "max_drop", "wanted": 0.0, "found": 0.1,
     "passed": False},
]}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def blocks(report: Report, title: str) -> list[Block]:
    return [block for section in report.sections if section.title == title for block in section.blocks]


def facts(report: Report, title: str) -> dict[str, Any]:
    found = [block for block in blocks(report, title) if isinstance(block, Facts)]
    return {name: value for block in found for name, value in block.rows}


def tables(report: Report, title: str) -> list[Table]:
    return [block for block in blocks(report, title) if isinstance(block, Table)]


def test_a_whole_run(bench: Bench) -> None:
    """Sections in reading order, and a page of it."""
    record = bench.run(ARTIFACTS, state="rejected", error="the gate says no", gate=GATE)
    report = build(record, bench.lake)
    assert [section.title for section in report.sections] == [
        "Summary", "Data", "Pipeline", "Model card", "Figures", "Worst errors", "Lineage", "Reproduce",
    ]  # fmt: skip
    (verdict,) = [block for block in blocks(report, "Summary") if isinstance(block, Verdict)]
    assert (verdict.text, verdict.tone) == ("Rejected: the gate says no", "bad")
    assert any(isinstance(block, Picture) for block in blocks(report, "Pipeline"))
    assert "Rejected: the gate says no" in to_html(report)


def test_what_failed_at_the_gate_comes_first(bench: Bench) -> None:
    """Found and wanted, by slice."""
    report = build(bench.run({}, gate=GATE), bench.lake)
    (checks,) = tables(report, "Summary")
    assert checks.columns == ("check", "found", "wanted", "verdict")
    assert checks.rows == (
        ("accuracy on sex=f", "0.1", "max_drop 0", "failed"),
        ("accuracy", "0.9", "min 0.5", "passed"),
    )


@pytest.mark.parametrize(
    ("changes", "text", "tone"),
    [
        ({"published": {"commit": "c", "model": "m", "version": 2, "alias": "production"}},
         "Published as m version 2, production.", "good"),
        ({"already": {"commit": "c", "model": "m", "version": 1, "alias": "production"}},
         "The same package as m version 1, which stays.", "good"),
        ({}, "Succeeded; nothing was to be published.", "good"),
        ({"state": "failed", "error": "boom"}, "Failed: boom", "bad"),
        ({"state": "pruned", "error": "no hope"}, "Pruned: no hope", "neutral"),
        ({"state": "interrupted"}, "Interrupted.", "bad"),
    ],
)  # fmt: skip
def test_every_end_has_a_verdict(bench: Bench, changes: dict[str, Any], text: str, tone: str) -> None:
    """In a sentence, and with a tone that is never alone."""
    (verdict,) = [
        b for b in blocks(build(bench.run({}, **changes), bench.lake), "Summary") if isinstance(b, Verdict)
    ]
    assert (verdict.text, verdict.tone) == (text, tone)


def test_the_model_card(bench: Bench) -> None:
    """Use, threshold, metrics against baseline and champion, groups, fairness, and limits that follow."""
    config = {
        "card": {"intended_use": "rank people", "limits": ["1994 only"], "owner": "us"},
        "model": {"_target_": "sklearn.X", "C": 1.0},
    }
    report = build(bench.run(ARTIFACTS, config=config), bench.lake)
    told = facts(report, "Model card")
    assert (told["intended use"], told["owner"], told["model"]) == ("rank people", "us", "sklearn.X")
    assert told["decision threshold"] == (
        "0.4 by maximize f1, chosen on 50 rows that the model had not learned from"
    )
    metrics, groups, fairness, apart = tables(report, "Model card")
    assert metrics.rows == (("accuracy", 0.9, "0.7 to 0.95", "greater", 0.5, 0.8, 0.1, "-0.01 to 0.2"),)
    assert groups.rows == (("sex=m", 80, "one class"), ("sex=f", 20, "0.9\u00a0[0.7,\u00a00.95]"))
    assert fairness.rows == (("sex=f", 20, 0.5),)
    assert apart.rows == (("equalized odds difference", 0.25),)
    (limits,) = [block for block in blocks(report, "Model card") if isinstance(block, Points)]
    said = "\n".join(limits.items)
    assert limits.items[0] == "1994 only"
    for part in ("3 of 100 rows (3.0 %)", "100 test rows", "between 0.7 and 0.95", "sex=f (20)"):
        assert part in said


def test_a_metric_worse_than_the_baseline_is_a_limit(bench: Bench) -> None:
    """Also one of which less is better."""
    entry = {"value": 0.9, "baseline": 0.5, "greater_is_better": False}
    artifacts = {"evaluation": {**EVALUATION, "rows": 1000, "metrics": {"log_loss": entry}, "slices": []}}
    (limits,) = [
        b for b in blocks(build(bench.run(artifacts), bench.lake), "Model card") if isinstance(b, Points)
    ]
    assert "log_loss is worse than the baseline's (0.9, baseline 0.5)." in limits.items
    assert any("No slices were measured" in item for item in limits.items)


def test_data_and_its_failures(bench: Bench) -> None:
    """Counts, the schema, failures with examples, the profile, and drift against the last run."""
    schema = {"columns": {"age": {"dtype": "float64", "nullable": True,
                                  "in_range": {"min_value": 0, "max_value": 2099}}}}  # fmt: skip
    first = bench.run(ARTIFACTS)
    record = bench.run(ARTIFACTS, config={"schema": schema, "dataset": {"name": "people"}})
    report = build(record, bench.lake, [record, first])
    assert facts(report, "Data")["rows rejected"] == "3 (3.0 %)"
    failures, declared, profile = tables(report, "Data")
    assert failures.rows == (("age", "in_range", 3, "row 7: -1"),)
    assert declared.rows == (("age", "float64", True, "in range 0 to 2099"),)
    assert profile.rows[0][0] == "age"
    assert any(
        getattr(b, "text", "") == "The same data as in run run-1, to the bit." for b in blocks(report, "Data")
    )


def test_worst_errors_are_bounded(bench: Bench) -> None:
    """The first twenty, and how many more there are."""
    (errors,) = tables(build(bench.run(ARTIFACTS), bench.lake), "Worst errors")
    assert (len(errors.rows), errors.more) == (20, 10)


def test_lineage_and_the_commands(bench: Bench) -> None:
    """From code and data to artifacts, and what to type to have it again."""
    record = bench.run(
        ARTIFACTS,
        git={"commit": "abc", "dirty": True}, source={"commit": "def", "ref": "main"},
        published={"commit": "ghi", "model": "m", "version": 2, "alias": "production"},
        packages={"pandas": "3"}, prefect={"url": "http://127.0.0.1/x"}, wandb={"id": "w", "dir": "d"},
    )  # fmt: skip
    record.stages[0].sources = {
        "champion": {"uri": "model:m@production", "bytes": 1, "version": 1, "artifact": "lake://c/models/m/1"}
    }
    report = build(record, bench.lake)
    told = facts(report, "Lineage")
    assert told["code"] == "git commit abc, with changes that are not committed"
    assert told["all compared with"] == "model:m@production: version 1, lake://c/models/m/1"
    assert (told["Prefect"], told["W&B"]) == ("http://127.0.0.1/x", "d")
    (code,) = [block for block in blocks(report, "Reproduce") if isinstance(block, Code)]
    assert code.text.splitlines()[1:] == [
        "python -m flows.reproduce run=run-1", "headrace show run-1", "headrace lineage m/2",
    ]  # fmt: skip


def test_a_run_that_made_nothing_has_a_report(bench: Bench) -> None:
    """A failed first stage: no data, no card, no figures, and no empty section."""
    stage = StageRecord(name="load", state="failed", reason="no file")
    record = replace(bench.run({}, state="failed", error="boom"), stages=[stage])
    report = build(record, bench.lake)
    assert [section.title for section in report.sections] == ["Summary", "Pipeline", "Lineage", "Reproduce"]
    assert to_html(report)


def test_what_is_gone_is_told(bench: Bench) -> None:
    """An artifact that the lake no longer has leaves its part out, and the report says which."""
    record = bench.run(ARTIFACTS)
    artifact = record.stages[0].outputs["evaluation"]
    record.stages[0].outputs["evaluation"] = replace(
        artifact, uri=artifact.uri.replace("lake://", "lake://0")
    )
    report = build(record, bench.lake)
    (missing,) = [section for section in report.sections if section.title == "What is missing here"]
    assert "evaluation cannot be read" in missing.blocks[0].text  # type: ignore[union-attr]


def test_figures_stand_in_the_order_of_reading(bench: Bench) -> None:
    """What is right, how sure it is, why; a user's own come after, by name."""
    names = ("zebra", "roc", "importance", "apple", "confusion")
    report = build(bench.run({"figures": dict.fromkeys(names, PIXEL)}), bench.lake)
    assert [figure.title for figure in report.figures()] == [
        "CONFUSION", "ROC", "IMPORTANCE", "APPLE", "ZEBRA",
    ]  # fmt: skip


def test_a_gate_that_says_no_is_told_in_a_line(bench: Bench) -> None:
    """What it found stands in the table of checks, in few digits."""
    error = "the gate says no, nothing is published\n  - accuracy: found 0.7971014492753623"
    report = build(bench.run({}, state="rejected", error=error, gate=GATE), bench.lake)
    assert Verdict("Rejected: the gate says no, nothing is published", "bad") in blocks(report, "Summary")
    assert tables(report, "Summary")[0].caption == "The gate: 1 of 2 checks passed."


def test_long_lists_are_folded(bench: Bench) -> None:
    """Artifacts by a commit that a lake still finds, and the versions of packages."""
    record = bench.run({"valid": pd.DataFrame({"a": [1]})}, packages={"numpy": "2"})
    report = build(record, bench.lake)
    (artifacts,) = [block for block in blocks(report, "Lineage") if isinstance(block, Folded)]
    assert artifacts.title == "All artifacts by digest and place"
    (table,) = artifacts.blocks
    assert isinstance(table, Table)
    commit, _, path = str(table.rows[0][-1]).removeprefix("lake://").partition("/")
    artifact = record.stages[0].outputs["valid"]
    assert (bench.lake.resolve(commit), path) == (artifact.commit, artifact.path)
    (packages,) = [block for block in blocks(report, "Reproduce") if isinstance(block, Folded)]
    assert packages.blocks == (
        Table(columns=("package", "version"), rows=(("numpy", "2"),), caption="What the stages import."),
    )
