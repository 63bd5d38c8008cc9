"""Confusion matrix and reliability diagram."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.frame import (
    COLOURS,
    HEIGHT,
    QUIET,
    WIDTH,
    count,
    distinct,
    finish,
    short,
    table,
)

MOST_WITH_TEXT = 12
FLAT_LABELS = 36  # characters that fit side by side below the matrix
SIDE, SMALLEST_CELL = 300, 10
DARK_FROM = 0.55  # the share from which a cell is so dark that its text is white


def draw_confusion(analysis: dict[str, Any]) -> Any:
    """Draw the matrix: colour is the share of the true class, text the number of rows."""
    import altair as alt

    found = analysis["confusion"]
    size = len(found["classes"])
    grid = _grid(found)
    told = [
        alt.Tooltip("true:N", title="true class"),
        alt.Tooltip("predicted:N", title="predicted class"),
        alt.Tooltip("rows:Q", format=","),
        alt.Tooltip("share:Q", title="share of the true class", format=".1%"),
    ]
    layers = [grid.mark_rect().encode(color=_share_colour(), tooltip=told)]
    if size <= MOST_WITH_TEXT:
        # On the colours of the cells, so these texts have one of their own.
        light = alt.condition(f"datum.share > {DARK_FROM}", alt.value("white"), alt.value("#111"))
        layers.append(grid.mark_text(fontSize=11, aria=False).encode(text="text:N", color=light))
    side, height = (max(SMALLEST_CELL, min(most, SIDE // size)) for most in (72, 48))
    wrong, rows = found["wrong"], analysis["rows"]
    left_out = f" {found['left_out']} classes with fewer errors are left out." if found["left_out"] else ""
    return finish(
        alt.layer(*layers).properties(width=alt.Step(side), height=alt.Step(height)),
        f"Confusion matrix: {1 - wrong / rows:.1%} right",
        f"Confusion matrix of {len(analysis['classes'])} classes: {wrong:,} of {count(rows, 'test row')}"
        f" wrong{_worst(found)}.",
        "Numbers are test rows; colour is the share of the true class's rows, so the diagonal is recall."
        + left_out,
    )


def _grid(found: dict[str, Any]) -> Any:
    import altair as alt

    names = distinct(found["classes"], 22)
    size = len(names)
    cells = [(row, column) for row in range(size) for column in range(size)]
    data = table(
        {
            "true": [names[row] for row, _ in cells],
            "predicted": [names[column] for _, column in cells],
            "rows": [found["counts"][row][column] for row, column in cells],
            "share": [found["shares"][row][column] for row, column in cells],
            "text": [_cell_text(found["counts"][row][column], size) for row, column in cells],
        }
    )
    flat = size * max(map(len, names)) <= FLAT_LABELS
    angle = 0 if flat else -45 if size <= MOST_WITH_TEXT else -90
    x = alt.X("predicted:N", sort=names, title="predicted class", axis=alt.Axis(labelAngle=angle))
    return alt.Chart(data).encode(x=x, y=alt.Y("true:N", sort=names, title="true class"))


def _share_colour() -> Any:
    import altair as alt

    legend = alt.Legend(
        title="share of the true class",
        orient="bottom",
        format=".0%",
        gradientLength=200,
        values=[0, 0.25, 0.5, 0.75, 1],
    )
    return alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=legend)


def _cell_text(rows: int, size: int) -> str:
    """Return what fits a cell; nothing for nothing in a large matrix, where the diagonal is to be seen."""
    if size <= 4:
        return f"{rows:,}"
    if rows == 0:
        return ""
    return str(rows) if rows < 1000 else f"{rows / 1000:.3g}k"


def _worst(found: dict[str, Any]) -> str:
    counts, names = found["counts"], found["classes"]
    cells = [(counts[i][j], i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    most, true, predicted = max(cells, default=(0, 0, 0), key=lambda cell: cell[0])
    if not most:
        return ""
    return f"; most often {names[true]} was taken for {names[predicted]} ({count(most, 'row')})"


def draw_calibration(analysis: dict[str, Any]) -> Any:
    """Draw observed shares against predicted probabilities, with their 95 % intervals."""
    import altair as alt

    found = analysis["calibration"]
    if found["of"] == "positive":
        title = f"predicted probability of {short(str(analysis['positive']))}"
        whose = f"the probability of {analysis['positive']}"
    else:
        title = "probability of the predicted class"
        whose = "the probability of the predicted class, against how often it was right"
    one = alt.Scale(domain=[0, 1])
    x = alt.X("predicted:Q", title=title, scale=one, axis=alt.Axis(tickCount=5))
    y = alt.Y("observed:Q", title="observed share", scale=one, axis=alt.Axis(tickCount=5))
    even = table({"predicted": [0, 1], "observed": [0, 1]})
    told = [
        alt.Tooltip("predicted:Q", format=".3f"),
        alt.Tooltip("observed:Q", format=".3f"),
        alt.Tooltip("low:Q", title="95 % interval from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("rows:Q", format=","),
    ]
    bins = alt.Chart(table(found["curve"])).encode(x=x, tooltip=told)
    chart = alt.layer(
        alt.Chart(even).mark_line(strokeDash=[4, 4], color=QUIET, aria=False).encode(x=x, y=y),
        bins.mark_rule(color=COLOURS[0], opacity=0.5, strokeWidth=2).encode(
            y=alt.Y("low:Q", title="observed share", scale=one), y2="high:Q"
        ),
        bins.mark_line(color=COLOURS[0], strokeWidth=2).encode(y=y),
        bins.mark_point(color=COLOURS[0], filled=True, opacity=1, size=50).encode(y=y),
    )
    bin_count = len(found["curve"]["rows"])
    return finish(
        chart.properties(width=WIDTH, height=HEIGHT),
        f"Calibration: Brier score {found['brier']:.3g}",
        f"Reliability curve in {count(bin_count, 'bin')}, Brier score {found['brier']:.3g}, mean distance"
        f" from the diagonal {found['expected_error']:.3g}, on {count(analysis['rows'], 'test row')}.",
        f"Of {whose}, in bins of about equally many rows, with 95 % intervals. On the dashed diagonal"
        " probabilities mean what they say; below it they are too high.",
    )
