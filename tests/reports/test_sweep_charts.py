"""The charts of a sweep."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import pytest
import vl_convert

from headrace.core.sweep import SweepRecord
from headrace.reports import sweep_charts as charts

from .sweeps import make_sweep

SHARES = {"model": 0.7, "model.C": 0.3}


def drawn(record: SweepRecord) -> dict[str, charts.Spec | None]:
    return {
        "history": charts.history(record, "accuracy"),
        "interim": charts.interim_scores(record),
        "parallel": charts.parallel_coordinates(record, SHARES),
        "importance": charts.importance(SHARES),
        "front": charts.front(record),
    }


@pytest.mark.parametrize("name", ["history", "interim", "parallel", "importance", "front"])
def test_each_chart_is_vega_lite_that_can_be_drawn(name: str) -> None:
    """It fits the schema, becomes a picture without a network, and loads nothing."""
    spec = drawn(make_sweep(objective={"accuracy": "maximize", "log_loss": "minimize"}))[name]
    assert spec is not None
    alt.Chart.from_dict(spec, validate=True)
    picture = vl_convert.vegalite_to_png({**spec, "width": 400}, allowed_base_urls=[])
    assert picture.startswith(b"\x89PNG")
    assert '"url"' not in json.dumps(spec)


@pytest.mark.parametrize("record", [make_sweep(jobs=0), make_sweep(jobs=1), make_sweep(objective={})])
def test_what_has_nothing_to_show_is_no_chart(record: SweepRecord) -> None:
    """No jobs, one job, no objective."""
    assert charts.parallel_coordinates(record) is None
    assert charts.front(record) is None
    assert charts.importance({"x": 1.0}) is None
    assert charts.history(make_sweep(jobs=0), "accuracy") is None
    assert charts.history(record, "no_such_metric") is None


def rows(spec: charts.Spec | None) -> list[dict[str, Any]]:
    assert spec is not None
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


def test_the_history_tells_the_best_so_far() -> None:
    """Up where more is better, down where less is; a pruned job counts for nothing and is shown."""
    record = make_sweep()
    up = rows(charts.history(record, "accuracy"))
    best = [row["best"] for row in up]
    assert best == sorted(best)
    assert best[-1] == record.ranked()[0].metrics["accuracy"]
    assert {row["state"] for row in up} == {"succeeded", "pruned"}
    down = rows(charts.history(make_sweep(objective={"log_loss": "minimize"}), "log_loss"))
    assert [row["best"] for row in down] == sorted((row["best"] for row in down), reverse=True)


def test_lines_go_through_every_axis() -> None:
    """A job that was not given a param stands aside on its axis; params come by their share."""
    record = make_sweep()
    spec = charts.parallel_coordinates(record, SHARES)
    lines = rows(spec)
    assert spec is not None
    assert spec["encoding"]["x"]["sort"] == ["model", "C", "depth", "accuracy"]
    good = {trial.number for trial in record.trials if trial.state == "succeeded"}
    assert {row["job"] for row in lines} == good
    assert len(lines) == 4 * len(good)
    aside = {row["job"] for row in lines if row["at"] == charts.ASIDE}
    assert aside == {n for n in good if "model.depth" not in record.trials[n].params}


def test_charts_of_large_sweeps_stay_small() -> None:
    """Of 2,000 jobs some are drawn, the best among them."""
    record = make_sweep(jobs=2000)
    parallel = rows(charts.parallel_coordinates(record))
    assert len({row["job"] for row in parallel}) == charts.JOBS_AT_MOST
    assert record.ranked()[0].number in {row["job"] for row in parallel}
    assert len(rows(charts.interim_scores(record))) <= charts.POINTS_AT_MOST
    assert len(rows(charts.history(record, "accuracy"))) <= charts.POINTS_AT_MOST
