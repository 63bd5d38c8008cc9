"""Residuals of a regression."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.frame import COLOURS, HEIGHT, QUIET, WIDTH, count, finish, short, table


def draw_residuals(analysis: dict[str, Any]) -> Any:
    """Draw residuals against predictions, and the mean residual along them."""
    import altair as alt

    found, target = analysis["residuals"], short(analysis["target"])
    x = alt.X("predicted:Q", title=f"predicted {target}", scale=alt.Scale(zero=False))
    y = alt.Y("residual:Q", title=f"residual: true minus predicted {target}")
    told = [alt.Tooltip("predicted:Q", format=".4g"), alt.Tooltip("residual:Q", format=".4g")]
    dots = alt.Chart(table(found["points"])).mark_point(
        filled=True, size=28, opacity=0.45, color=COLOURS[0], aria=False
    )
    trend = alt.Chart(table(found["trend"])).encode(x=x, y=y, tooltip=told)
    chart = alt.layer(
        alt.Chart(table({"residual": [0]})).mark_rule(color=QUIET, strokeDash=[4, 4], aria=False).encode(y=y),
        dots.encode(x=x, y=y, tooltip=told),
        trend.mark_line(color=COLOURS[1], strokeWidth=2, point={"filled": True, "color": COLOURS[1]}),
    )
    shown, rows = len(found["points"]["predicted"]), found["points_of"]
    drawn = (
        "Each point is a test row" if shown == rows else f"{shown:,} of {rows:,} test rows, drawn by chance"
    )
    return finish(
        chart.properties(width=WIDTH, height=HEIGHT),
        "Residuals by prediction",
        f"Residuals against predictions of {analysis['target']}: mean {found['mean']:.3g}, standard deviation"
        f" {found['std']:.3g}, on {count(rows, 'test row')}.",
        f"{drawn}. The line is the mean residual in ten bins of the prediction: away from zero, the model"
        " is off there as a rule.",
    )


def draw_residual_distribution(analysis: dict[str, Any]) -> Any:
    """Draw the histogram of the residuals."""
    import altair as alt

    found, target = analysis["residuals"], short(analysis["target"])
    edges = found["histogram"]["edges"]
    data = table({"from": edges[:-1], "to": edges[1:], "rows": found["histogram"]["counts"]})
    bars = alt.Chart(data).mark_bar(color=COLOURS[0], binSpacing=1)
    chart = alt.layer(
        bars.encode(
            x=alt.X("from:Q", bin="binned", title=f"residual: true minus predicted {target}"),
            x2="to:Q",
            y=alt.Y("rows:Q", title="test rows"),
            tooltip=[
                alt.Tooltip("from:Q", format=".4g"),
                alt.Tooltip("to:Q", format=".4g"),
                alt.Tooltip("rows:Q", format=","),
            ],
        ),
        alt.Chart(table({"from": [0]}))
        .mark_rule(color=QUIET, strokeDash=[4, 4], aria=False)
        .encode(x="from:Q"),
    )
    low, high = found["quantiles"]["0.05"], found["quantiles"]["0.95"]
    return finish(
        chart.properties(width=WIDTH, height=HEIGHT),
        "Distribution of the residuals",
        f"Histogram of the residuals of {analysis['target']}: 90 % of them lie between {low:.3g} and"
        f" {high:.3g}, the median is {found['quantiles']['0.5']:.3g}.",
        f"90 % of the residuals lie between {low:.4g} and {high:.4g}, in the unit of {analysis['target']}.",
    )
