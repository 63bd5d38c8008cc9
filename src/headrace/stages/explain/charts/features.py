"""What the model goes by: importance of columns, and how answers change with them."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.frame import (
    COLOURS,
    WIDTH,
    colour_by,
    count,
    distinct,
    finish,
    short,
    table,
)
from headrace.stages.explain.metric import TITLES

MOST_FEATURES = 20
MOST_LINES = 6
LABEL_WIDTH = 150
FLAT_LABELS = 18  # characters that fit side by side below a panel
PANEL_WIDTH, PANEL_HEIGHT = 140, 110


def draw_importance(analysis: dict[str, Any]) -> Any:
    """Draw the drop in the metric for each of the most important columns, with its deviation."""
    import altair as alt

    found = analysis["importance"]
    features, every = found["features"][:MOST_FEATURES], len(found["features"])
    metric = TITLES[found["metric"]]
    title = f"{'rise' if found['metric'] == 'rmse' else 'drop'} in {metric} when shuffled"
    names = distinct([each["name"] for each in features], 24)
    chart = alt.Chart(_bars(features, names)).encode(
        y=alt.Y("feature:N", sort=names, title=None, axis=alt.Axis(labelLimit=LABEL_WIDTH)),
        tooltip=[
            alt.Tooltip("feature:N"),
            alt.Tooltip("mean:Q", title=title, format=".4g"),
            alt.Tooltip("std:Q", title="standard deviation", format=".2g"),
        ],
    )
    means = alt.X("mean:Q", title=title, axis=alt.Axis(tickCount=4))
    layers = [
        chart.mark_bar(color=COLOURS[0], height={"band": 0.7}).encode(x=means),
        chart.mark_rule(color=COLOURS[1], strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
    ]
    some = f"the {len(features)} most important of {every}; " if len(features) < every else ""
    return finish(
        alt.layer(*layers).properties(width=WIDTH - LABEL_WIDTH + 60, height=alt.Step(18)),
        "Permutation importance",
        f"Permutation importance of {count(every, 'column')}, first {_first(features)}.",
        f"By how much {metric} gets worse when a column is shuffled: {some}mean and standard deviation"
        f" of {count(found['repeats'], 'repeat')} on {count(found['rows'], 'test row')}"
        f"{_of_all(found['rows'], analysis)}. Columns that tell the same stand in for one another.",
    )


def _bars(features: list[dict[str, Any]], names: list[str]) -> Any:
    return table(
        {
            "feature": names,
            "mean": [each["mean"] for each in features],
            "std": [each["std"] for each in features],
            "low": [each["mean"] - each["std"] for each in features],
            "high": [each["mean"] + each["std"] for each in features],
        }
    )


def _first(features: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['name']} ({each['mean']:.3g})" for each in features[:3])


def _of_all(rows: int, analysis: dict[str, Any]) -> str:
    return f", drawn by chance from {analysis['rows']:,}" if rows < analysis["rows"] else ""


def draw_dependence(analysis: dict[str, Any]) -> Any | None:
    """Draw a small chart for each column, all on one scale of answers; None where no column has one."""
    import altair as alt

    found = analysis["partial_dependence"]
    features = [each for each in found["features"] if "why" not in each]
    if not features:
        return None
    names = _most_moved(features)
    low, high = _range(features, names)
    answer = features[0]["of"]
    if analysis["positive"] is not None:
        answer = f"{answer} of {short(analysis['positive'], 14)}"
    elif analysis["task"] == "regression":
        answer = f"predicted {short(analysis['target'], 14)}"
    y = alt.Y(
        "answer:Q", title=answer, scale=alt.Scale(domain=[low, high], nice=True), axis=alt.Axis(tickCount=4)
    )
    lines = dict(zip(names, distinct(names, 24), strict=True))
    panels = [_panel(each, lines, y) for each in features]
    some = (
        f" Of {len(features[0]['lines'])} classes the {len(names)} that change most."
        if len(names) < len(features[0]["lines"])
        else ""
    )
    listed = ", ".join(each["name"] for each in features)
    return finish(
        alt.concat(*panels, columns=2, spacing=14),
        "Partial dependence",
        f"Partial dependence of the answer on {count(len(features), 'column')}: {listed}; answers go from"
        f" {low:.3g} to {high:.3g}.",
        f"The mean answer when a column is set to a value in each of {count(found['rows'], 'test row')}"
        f"{_of_all(found['rows'], analysis)}, the other columns as they are.{some}",
    )


def _most_moved(features: list[dict[str, Any]]) -> list[str]:
    """Return the classes whose line moves most in any column, in the estimator's order."""
    names = list(features[0]["lines"])
    moves = {
        name: max(max(each["lines"][name]) - min(each["lines"][name]) for each in features) for name in names
    }
    most = sorted(names, key=lambda name: -moves[name])[:MOST_LINES]
    return [name for name in names if name in most]


def _range(features: list[dict[str, Any]], names: list[str]) -> tuple[float, float]:
    values = [value for each in features for name in names for value in each["lines"][name]]
    return min(values), max(values)


def _panel(each: dict[str, Any], lines: dict[str, str], y: Any) -> Any:
    import altair as alt

    number = each["kind"] == "number"
    columns: dict[str, list[Any]] = {"line": [], "value": [], "answer": []}
    for name, shown in lines.items():
        columns["line"] += [shown] * len(each["values"])
        columns["value"] += each["values"]
        columns["answer"] += each["lines"][name]
    title = short(each["name"], 26)
    if number:
        x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=4))
    else:
        x = alt.X(
            "value:N",
            title=title,
            sort=each["values"],
            axis=alt.Axis(labelLimit=70, labelAngle=_angle(each["values"])),
        )
    chart = alt.Chart(table(columns)).encode(
        x=x,
        y=y,
        color=colour_by(list(lines.values()), "class"),
        tooltip=[
            *([alt.Tooltip("line:N", title="class")] if len(lines) > 1 else []),
            alt.Tooltip("value:Q" if number else "value:N", title=each["name"]),
            alt.Tooltip("answer:Q", title="mean answer", format=".4g"),
        ],
    )
    mark = (
        chart.mark_line(point={"size": 18, "filled": True})
        if number
        else chart.mark_point(filled=True, size=45, opacity=1)
    )
    return mark.properties(width=PANEL_WIDTH, height=PANEL_HEIGHT)


def _angle(labels: list[str]) -> int:
    return 0 if sum(map(len, labels)) <= FLAT_LABELS else -45
