"""The charts of a sweep, as Vega-Lite: how it went, what each job was given, which params decided.

They hold no colours of text or background: the page that shows them has light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.core.sweep import GOOD, SweepRecord, TrialRecord
from headrace.core.sweep_axes import Axis, as_parts, read_axes

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
JOBS_AT_MOST = 200  # lines in one figure
POINTS_AT_MOST = 500
AXES_AT_MOST = 8
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8a8a8a"  # Okabe and Ito 2008, and what is only to compare with
STATES_OF_SCORES = ["ran to its end", "pruned", "other"]
ASIDE = -0.12  # where a job stands on the axis of a param that it was not given
STATE_ORDER = ["succeeded", "cached", "rejected", "pruned", "failed"]
_SHAPES = ["circle", "circle", "triangle-up", "cross", "square"]


def history(record: SweepRecord, metric: str) -> Spec | None:
    """Draw a metric by job with the best so far; None where no job has it.

    A pruned job stands at its last interim score, which says less than a result, and at the edge where
    that is far from the results.
    """
    direction = record.objective.get(metric)
    rows: list[dict[str, Any]] = []
    best: float | None = None
    for trial in record.trials:
        value = trial.metrics.get(metric)
        if trial.state == "pruned" and trial.reports and metric == next(iter(record.objective), None):
            value = trial.reports[-1][1]
        if value is None or value != value:
            continue
        if trial.state in GOOD and direction is not None:
            better = max if direction == "maximize" else min
            best = value if best is None else better(best, value)
        rows.append(
            {
                "job": trial.number,
                "value": value,
                "best": best,
                "state": trial.state,
                "params": _params_text(trial),
            }
        )
    if not rows:
        return None
    y = {"type": "quantitative", "title": metric, "scale": _scale_of_results(rows)}
    points: Spec = {
        "mark": {"type": "point", "filled": True, "size": 55},
        "encoding": {
            "y": {"field": "value", **y},
            "shape": {
                "field": "state",
                "type": "nominal",
                "title": None,
                "scale": {"domain": STATE_ORDER, "range": _SHAPES},
                "legend": {"orient": "bottom", "values": [s for s in STATE_ORDER if _has(rows, s)]},
            },
            "color": {"value": BLUE},
            "opacity": {"condition": {"test": "datum.state == 'pruned'", "value": 0.5}, "value": 0.9},
            "tooltip": _tooltip(job="job", value=metric, state="state", params="params"),
        },
    }
    line: Spec = {
        "transform": [{"filter": "datum.best != null"}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {"y": {"field": "best", **y}, "color": {"value": ORANGE}},
    }
    layers = [line, points] if best is not None else [points]
    x = {"field": "job", "type": "quantitative", "title": "job", "axis": {"tickMinStep": 1, "format": "d"}}
    return _spec(rows[:POINTS_AT_MOST], layer=layers, encoding={"x": x}, height=240)


def interim_scores(record: SweepRecord) -> Spec | None:
    """Draw the interim scores of the jobs by step; None where none was reported."""
    jobs = [trial for trial in record.trials if len(trial.reports) > 1]
    steps = sum(len(trial.reports) for trial in jobs)
    if not jobs:
        return None
    jobs = _spread_out(jobs, max(POINTS_AT_MOST * len(jobs) // steps, 1))
    rows = [
        {
            "job": trial.number,
            "step": step,
            "score": score,
            "state": _ended(trial),
            "params": _params_text(trial),
        }
        for trial in jobs
        for step, score in trial.reports
        if score == score
    ]
    over = {"param": "job", "empty": False}
    return _spec(
        rows,
        params=[_hover("job", ["job"])],
        mark={"type": "line", "point": {"size": 12}},
        encoding={
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"tickMinStep": 1}},
            "y": {
                "field": "score",
                "type": "quantitative",
                "title": "interim score",
                "scale": {"zero": False},
            },
            "detail": {"field": "job"},
            "color": {**_coloured("state", STATES_OF_SCORES, rows), "title": None},
            "opacity": {"condition": {**over, "value": 1}, "value": 0.45},
            "strokeWidth": {"condition": {**over, "value": 3}, "value": 1.2},
            "tooltip": _tooltip(job="job", step="step", score="score", state="state", params="params"),
        },
        height=240,
    )


def importance(shares: Mapping[str, float]) -> Spec | None:
    """Draw the share of each param, the largest first; None for one param or none."""
    if len(shares) < 2:
        return None
    rows = [{"param": name, "share": share} for name, share in shares.items()]
    return _spec(
        rows,
        mark={"type": "bar", "color": BLUE},
        encoding={
            "y": {
                "field": "param",
                "type": "nominal",
                "title": None,
                "sort": None,
                "axis": {"labelLimit": 220},
            },
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": "share of the explained variance",
                "axis": {"format": ".0%"},
                "scale": {"domain": [0, 1]},
            },
            "tooltip": [
                {"field": "param", "title": "param"},
                {"field": "share", "title": "share", "format": ".1%"},
            ],
        },
        height=24 * len(rows),
    )


def front(record: SweepRecord) -> Spec | None:
    """Draw the first two of several objectives against each other, and who is dominated; None for fewer."""
    metrics = list(record.objective)[:2]
    if len(metrics) < 2:
        return None
    best = {trial.number for trial in record.front()}
    rows = [
        {
            "job": trial.number,
            "x": trial.metrics[metrics[0]],
            "y": trial.metrics[metrics[1]],
            "front": "on the front" if trial.number in best else "dominated",
            "params": _params_text(trial),
        }
        for trial in record.ranked()[:POINTS_AT_MOST]
    ]
    if not rows:
        return None
    return _spec(
        rows,
        mark={"type": "point", "filled": True, "size": 60},
        encoding={
            "x": {"field": "x", "type": "quantitative", "title": metrics[0], "scale": {"zero": False}},
            "y": {"field": "y", "type": "quantitative", "title": metrics[1], "scale": {"zero": False}},
            "color": {**_coloured("front", ["on the front", "dominated"], rows), "title": None},
            "tooltip": _tooltip(job="job", x=metrics[0], y=metrics[1], params="params"),
        },
        height=260,
    )


def parallel_coordinates(record: SweepRecord, shares: Mapping[str, float] | None = None) -> Spec | None:
    """Draw a line for each job through the axes of its params, to its objective; None for nothing to show.

    Of more params than there is room for those with the largest `shares` are drawn.
    """
    axes = read_axes(record)
    if shares:
        axes.sort(key=lambda axis: -shares.get(axis.name, 0.0))
    axes = axes[:AXES_AT_MOST]
    metrics = [name for name in record.objective if any(name in trial.metrics for trial in record.trials)]
    jobs = [
        trial for trial in record.trials if trial.state in GOOD and all(m in trial.metrics for m in metrics)
    ]
    if not axes or not metrics or len(jobs) < 2:
        return None
    results = [
        Axis(name=name, is_number=True, log=False, values={t.number: t.metrics[name] for t in jobs})
        for name in metrics
    ]
    jobs = _spread_out(record.ranked(), JOBS_AT_MOST)
    shown = [*axes, *results]
    shorts = [axis.short for axis in shown]
    lines, ticks, order = [], [], []
    for axis in shown:
        places, marks = as_parts(axis)
        name = axis.short if shorts.count(axis.short) == 1 else axis.name
        order.append(name)
        ticks += [{"axis": name, "at": at, "label": label} for at, label in marks]
        if any(trial.number not in axis.values for trial in jobs):
            ticks.append({"axis": name, "at": ASIDE, "label": "not given"})
        lines += [
            {
                "job": trial.number,
                "axis": name,
                "at": round(places.get(trial.number, ASIDE), 4),
                "value": trial.metrics[metrics[0]],
                "params": _params_text(trial),
            }
            for trial in jobs
        ]
    return _parallel(lines, ticks, order, metrics[0])


def _parallel(
    lines: Sequence[Mapping[str, Any]], ticks: Sequence[Mapping[str, Any]], order: Sequence[str], metric: str
) -> Spec:
    at = {"type": "quantitative", "axis": None, "scale": {"domain": [min(ASIDE, 0) - 0.05, 1.05]}}
    over = {"param": "job", "empty": False}
    line: Spec = {
        "params": [_hover("job", ["job"])],
        "mark": {"type": "line"},
        "encoding": {
            "y": {"field": "at", **at},
            "detail": {"field": "job"},
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": metric,
                "scale": {"range": [BLUE, GREY, ORANGE], "interpolate": "rgb"},
                "legend": {"orient": "bottom", "gradientLength": 200},
            },
            "opacity": {"condition": {**over, "value": 1}, "value": 0.5},
            "strokeWidth": {"condition": {**over, "value": 4}, "value": 1.5},
            "tooltip": _tooltip(job="job", value=metric, params="params"),
        },
    }
    rule: Spec = {
        "data": {"values": [{"axis": name} for name in order]},
        "mark": {"type": "rule", "opacity": 0.4},
        "encoding": {},
    }
    mark: Spec = {
        "data": {"values": list(ticks)},
        "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 11},
        "encoding": {"y": {"field": "at", **at}, "text": {"field": "label"}},
    }
    x = {
        "field": "axis",
        "type": "nominal",
        "title": None,
        "sort": list(order),
        "scale": {"type": "point", "padding": 0.3},
        "axis": {
            "orient": "top",
            "domain": False,
            "ticks": False,
            "labelAngle": 0,
            "labelLimit": {"expr": f"width / {len(order)} - 8"},
        },
    }
    return _spec(
        lines, layer=[rule, line, mark], encoding={"x": x}, height=280, config={"view": {"stroke": None}}
    )


def _spec(rows: Sequence[Mapping[str, Any]], **more: Any) -> Spec:
    return {"$schema": SCHEMA, "data": {"values": list(rows)}, "width": "container", **more}


def _hover(name: str, fields: Sequence[str]) -> Spec:
    select = {
        "type": "point",
        "on": "pointerover",
        "nearest": False,
        "fields": list(fields),
        "clear": "pointerout",
    }
    return {"name": name, "select": select}


def _tooltip(**titles: str) -> list[dict[str, str]]:
    return [{"field": field, "title": title} for field, title in titles.items()]


def _params_text(trial: TrialRecord) -> str:
    said = (
        f"{name.rpartition('.')[2]}={value:.4g}"
        if isinstance(value, float)
        else f"{name.rpartition('.')[2]}={value}"
        for name, value in trial.params.items()
    )
    return ", ".join(said)


def _ended(trial: TrialRecord) -> str:
    return "ran to its end" if trial.state in GOOD else "pruned" if trial.state == "pruned" else "other"


def _coloured(field: str, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Spec:
    there = {row[field] for row in rows}
    scale = {"domain": list(names), "range": [BLUE, ORANGE, GREY][: len(names)]}
    legend = {"orient": "bottom", "values": [name for name in names if name in there]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": legend}


def _scale_of_results(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Return a scale on which results fill the height; a pruned job beyond stands at its edge."""
    results = [row["value"] for row in rows if row["state"] != "pruned"]
    if not results:
        return {"zero": False}
    low, high = min(results), max(results)
    room = (high - low) / 20 or abs(high) / 20 or 1.0
    return {"domain": [low - room, high + room], "clamp": True, "nice": False}


def _has(rows: Iterable[Mapping[str, Any]], state: str) -> bool:
    return any(row["state"] == state for row in rows)


def _spread_out(trials: Sequence[TrialRecord], at_most: int) -> list[TrialRecord]:
    """Return some of the trials, evenly chosen where there are too many; the first is always there."""
    if len(trials) <= at_most:
        return list(trials)
    return [trials[number * len(trials) // at_most] for number in range(at_most)]
