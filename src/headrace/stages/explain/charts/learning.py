"""The learning curve."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.frame import HEIGHT, WIDTH, colour_by, count, finish, table
from headrace.stages.explain.metric import TITLES

WIDE = 30
NARROWEST = 0.1  # of the shares between 0 and 1 that a scale shows
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
        x=alt.X("rows:Q", title="rows learned from", scale=_rows_scale(rows), axis=alt.Axis(tickCount=5)),
        y=alt.Y("score:Q", title=metric, scale=_score_scale(found["metric"], points)),
        color=colour_by([UNSEEN, SEEN], "scored on"),
        tooltip=[
            alt.Tooltip("line:N", title="scored on"),
            alt.Tooltip("rows:Q", title="rows learned from", format=","),
            alt.Tooltip("score:Q", title=metric, format=".4f"),
        ],
    )
    last = points[-1]
    return finish(
        chart.mark_line(strokeWidth=2, point={"filled": True, "size": 50}).properties(
            width=WIDTH, height=HEIGHT
        ),
        f"Learning curve: {metric} {last['test']:.3g} at {count(last['rows'], 'row')}",
        f"Learning curve from {points[0]['rows']:,} to {last['rows']:,} rows: {metric} on test rows goes from"
        f" {points[0]['test']:.3f} to {last['test']:.3f}, on training rows it ends at {last['train']:.3f}.",
        "A test line that still gets better says that more rows would help; a wide gap says that the model"
        " fits its own rows too closely. The last point is the model itself, which learned from all of them.",
    )


def _rows_scale(rows: list[int]) -> Any:
    """Return a logarithmic scale where the last point lies far off the others."""
    import altair as alt

    if rows[-1] > WIDE * rows[0]:
        return alt.Scale(type="log", nice=False, padding=12)
    return alt.Scale(zero=True)


def _score_scale(metric: str, points: list[dict[str, Any]]) -> Any:
    """Return a scale that does not make mountains of differences in the third digit."""
    import altair as alt

    scores = [point[part] for point in points for part in ("train", "test")]
    if metric == "rmse":
        return alt.Scale(zero=True)
    low, high = min(scores), max(scores)
    return alt.Scale(domain=[min(low, max(0.0, high - NARROWEST)), high], nice=True)
