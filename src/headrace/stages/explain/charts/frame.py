"""What every chart shares: size, colours, the words around it.

Colours are for data alone. Text and background have none, so that a page can be light or dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 320
HEIGHT = 280
# Told apart with every kind of colour vision, and seen on white and on black: Okabe, Ito 2008,
# "Color universal design", without its black and its yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
QUIET = "#8a8a8a"  # of what is only to compare with


def finish(chart: Any, title: str, alt_text: str, caption: str) -> Any:
    """Give a chart its title, and in `usermeta` what a page tells beside it."""
    import altair as alt

    told = {"headrace": {"title": title, "alt": alt_text, "caption": caption}}
    return (
        chart.properties(
            title=alt.Title(title, anchor="start", fontSize=13),
            description=alt_text,
            usermeta=told,
        )
        .configure_axis(labelFontSize=11, titleFontSize=11, titleFontWeight="normal")
        .configure_legend(labelFontSize=11, titleFontSize=11, titleFontWeight="normal")
        .configure_header(labelFontSize=11)
    )


def table(columns: Mapping[str, Sequence[Any]]) -> Any:
    """Return columns of equal length as a chart's data, row by row, inlined as they are."""
    import altair as alt

    rows = zip(*columns.values(), strict=True)
    return alt.InlineData(values=[dict(zip(columns, row, strict=True)) for row in rows])


def colour_by(names: Sequence[str], title: str | None = None) -> Any:
    """Return a colour for each name, in their order, told in a legend below; of one name without it."""
    import altair as alt

    legend = alt.Legend(title=title, orient="bottom", columns=3, labelLimit=100, symbolType="stroke")
    return alt.Color(
        "line:N",
        scale=alt.Scale(domain=list(names), range=list(COLOURS[: len(names)])),
        sort=list(names),
        legend=legend if len(names) > 1 else None,
    )


def count(number: int, word: str) -> str:
    """Return `1 row`, `1,234 rows`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def short(name: str, most: int = 40) -> str:
    """Return a name that fits: its beginning and its end where it is long."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def distinct(names: Sequence[str], most: int) -> list[str]:
    """Return short names, each another one: where the shortened are the same, they are numbered."""
    found: list[str] = []
    for name in names:
        shown, number = short(name, most), 1
        while shown in found:
            number += 1
            shown = f"{short(name, most - 4)} ({number})"
        found.append(shown)
    return found
