"""The learning curve."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.frame import HEIGHT, WIDTH, colour_by, count, finish, table
from headrace.stages.explain.metric import TITLES

SEEN, UNSEEN = "training rows", "test rows"


def draw_learning(analysis: dict[str, Any]) -> Any | None:
    """Draw the metric on training and test rows against the rows learned from; None without points."""
    import altair as alt

    found = analysis["learning_curve"]
    points = [point for point in found["points"] if "why" not in point]
    if not points:
        return None
    rows = [point["rows"] for point in points]
    data = table(
        {
            "line": [UNSEEN] * len(points) + [SEEN] * len(points),
            "rows": rows * 2,
            "score": [point["test"] for point in points] + [point["train"] for point in points],
        }
    )
    metric = TITLES[found["metric"]]
    chart = alt.Chart(data).encode(
        x=alt.X("rows:Q", title="rows learned from", axis=alt.Axis(tickCount=5)),
        y=alt.Y("score:Q", title=metric, scale=alt.Scale(zero=False)),
        color=colour_by([UNSEEN, SEEN], "scored on"),
        tooltip=[
            alt.Tooltip("line:N", title="scored on"),
            alt.Tooltip("rows:Q", title="rows learned from", format=","),
            alt.Tooltip("score:Q", title=metric, format=".4f"),
        ],
    )
    last, all_rows = points[-1], found["all_rows"]
    some = (
        f" The curve stands on {max(rows):,} of {all_rows:,} training rows, drawn by chance."
        if max(rows) < all_rows
        else ""
    )
    return finish(
        chart.mark_line(strokeWidth=2, point={"filled": True, "size": 50}).properties(
            width=WIDTH, height=HEIGHT
        ),
        f"Learning curve: {metric} {last['test']:.3f} at {count(last['rows'], 'row')}",
        f"Learning curve from {points[0]['rows']:,} to {last['rows']:,} rows: {metric} on test rows goes from"
        f" {points[0]['test']:.3f} to {last['test']:.3f}, on training rows it ends at {last['train']:.3f}.",
        f"A test line that still gets better says that more rows would help; a wide gap says that the model"
        f" fits its own rows too closely.{some}",
    )
