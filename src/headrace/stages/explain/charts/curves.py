"""ROC and precision-recall curves."""

from __future__ import annotations

from typing import Any, Literal

from headrace.stages.explain.charts.frame import (
    HEIGHT,
    QUIET,
    WIDTH,
    colour_by,
    count,
    distinct,
    finish,
    table,
)


def draw_roc(analysis: dict[str, Any]) -> Any:
    """Draw the true positive rate against the false positive rate, with the diagonal of guessing."""
    import altair as alt

    roc = analysis["roc"]
    x = _axis(alt.X, "false_positive_rate", "false positive rate")
    y = _axis(alt.Y, "true_positive_rate", "true positive rate")
    guess = table({"false_positive_rate": [0, 1], "true_positive_rate": [0, 1]})
    diagonal = alt.Chart(guess).mark_line(strokeDash=[4, 4], color=QUIET, aria=False).encode(x=x, y=y)
    lines = _lines(roc["curves"], "area", x, y, "linear")
    said = _said(analysis, roc, "area")
    return finish(
        alt.layer(diagonal, *lines).properties(width=WIDTH, height=HEIGHT),
        f"ROC curve: {said}",
        f"ROC curve, {said}, on {count(analysis['rows'], 'test row')}.",
        f"{_of(analysis, roc)} Each point is a threshold. The dashed diagonal is guessing (area 0.5);"
        " the closer to the upper left corner, the better.",
    )


def draw_precision_recall(analysis: dict[str, Any]) -> Any:
    """Draw precision against recall, with the precision of guessing for a single class."""
    import altair as alt

    found = analysis["precision_recall"]
    x, y = _axis(alt.X, "recall", "recall"), _axis(alt.Y, "precision", "precision")
    lines = _lines(found["curves"], "average_precision", x, y, "step-after")
    guessing = ""
    if len(found["curves"]) == 1:
        rate = found["curves"][0]["base_rate"]
        guess = table({"recall": [0, 1], "precision": [rate, rate]})
        rule = alt.Chart(guess).mark_line(strokeDash=[4, 4], color=QUIET, aria=False).encode(x=x, y=y)
        lines = [rule, *lines]
        guessing = f" The dashed line is the precision of guessing, {rate:.3g}."
    said = _said(analysis, found, "average precision")
    return finish(
        alt.layer(*lines).properties(width=WIDTH, height=HEIGHT),
        f"Precision and recall: {said}",
        f"Precision-recall curve, {said}, on {count(analysis['rows'], 'test row')}.",
        f"{_of(analysis, found)} Precision is the share of the rows told to be of the class that are;"
        f" recall is the share of the class that is found.{guessing}",
    )


def _axis(channel: Any, field: str, title: str) -> Any:
    import altair as alt

    return channel(f"{field}:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))


def _lines(
    curves: list[dict[str, Any]], figure: str, x: Any, y: Any, interpolate: Literal["linear", "step-after"]
) -> list[Any]:
    """Return a line for each curve, and over it points that cannot be seen but tell what they are."""
    import altair as alt

    names = distinct([curve["class"] for curve in curves], 24)
    columns: dict[str, list[Any]] = {"line": [], "at": [], figure: []}
    points = [name for name in curves[0] if isinstance(curves[0][name], list)]
    columns |= {name: [] for name in points}
    for curve, name in zip(curves, names, strict=True):
        size = len(curve[points[0]])
        columns["line"] += [name] * size
        columns["at"] += range(size)
        columns[figure] += [round(curve[figure], 4)] * size
        for column in points:
            columns[column] += curve[column]
    chart = alt.Chart(table(columns)).encode(x=x, y=y, color=colour_by(names, "class"))
    told = [
        alt.Tooltip("line:N", title="class"),
        *(alt.Tooltip(f"{name}:Q", title=name.replace("_", " "), format=".3g") for name in [*points, figure]),
    ]
    return [
        chart.mark_line(interpolate=interpolate, strokeWidth=2).encode(order="at:Q"),
        chart.mark_point(opacity=0, size=60, filled=True, aria=False).encode(tooltip=told),
    ]


def _said(analysis: dict[str, Any], found: dict[str, Any], figure: str) -> str:
    if analysis["positive"] is not None:
        return f"{figure} {found['mean']:.3f}"
    return f"mean {figure} {found['mean']:.3f}"


def _of(analysis: dict[str, Any], found: dict[str, Any]) -> str:
    if analysis["positive"] is not None:
        return f"The positive class is {analysis['positive']}."
    judged, drawn = len(found["areas"]), len(found["curves"])
    if drawn == judged:
        return "Each class against the rest."
    return f"Each class against the rest; of {judged} classes the {drawn} that are told apart worst."
