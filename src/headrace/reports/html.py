"""A report as one HTML page that needs nothing but itself: it opens from a disk and asks nobody."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from headrace.core.picture import to_svg
from headrace.core.report import (
    Block,
    Cell,
    Code,
    Facts,
    Figure,
    Folded,
    Heading,
    Picture,
    Points,
    Report,
    Row,
    Section,
    Table,
    Text,
    Verdict,
)
from headrace.reports.numbers import tell

# Vega compiles its expressions, which is `unsafe-eval`. The page may still load nothing from anywhere.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)

WIDE = 9  # columns: with more a table is set smaller on paper


def to_html(report: Report) -> str:
    """Return the page. Equal reports give equal pages; everything that came from data is escaped."""
    live = any(figure.spec for figure in report.figures())
    scripts = f"<script>{_vega()}</script>\n<script>{_file('page.js')}</script>\n" if live else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="color-scheme" content="light dark">
<title>{escape(report.title)}</title>
<style>{_file("page.css")}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{escape(report.title)}</h1>
<p class="subtitle">{escape(report.subtitle)}</p>
{_contents(report)}
</header>
<main id="content">
{"".join(_section(number, section) for number, section in enumerate(report.sections))}</main>
<footer><p>Made by headrace. This page holds all that it shows, and asks nobody for anything.</p></footer>
{scripts}</body>
</html>
"""


@cache  # it takes seconds to put together
def _vega() -> str:
    """Return Vega, Vega-Lite and what embeds them, as one script of about 0.9 MB."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace(
        "</script", "<\\/script"
    )


def _file(name: str) -> str:
    return files("headrace.reports").joinpath(name).read_text("utf-8")


def _contents(report: Report) -> str:
    items = "".join(
        f'<li><a href="#{_anchor(number)}">{escape(section.title)}</a></li>'
        for number, section in enumerate(report.sections)
    )
    return f'<nav aria-label="Sections"><ul>{items}</ul></nav>'


def _anchor(number: int) -> str:
    return f"section-{number + 1}"


def _section(number: int, section: Section) -> str:
    anchor = _anchor(number)
    blocks = _blocks(anchor, section.blocks)
    title = escape(section.title)
    return f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{title}</h2>\n{blocks}</section>\n'


def _blocks(name: str, blocks: tuple[Block, ...]) -> str:
    return "".join(_block(f"{name}-{at + 1}", block) for at, block in enumerate(blocks))


def _block(name: str, block: Block) -> str:
    match block:
        case Table():
            return _table(name, block)
        case Figure():
            return _figure(block)
        case Row():
            return f'<div class="row">\n{"".join(map(_figure, block.figures))}</div>\n'
        case Picture():
            return f'<div class="pipeline" tabindex="0">{to_svg(block.pipeline, name=name)}</div>\n'
        case Folded():
            inner = _blocks(name, block.blocks)
            return f"<details><summary>{escape(block.title)}</summary>\n{inner}</details>\n"
        case _:
            return _words(block)


def _words(block: Heading | Text | Points | Verdict | Facts | Code) -> str:
    match block:
        case Heading():
            return f"<h3>{escape(block.text)}</h3>\n"
        case Text():
            return "".join(f"<p>{escape(one)}</p>\n" for one in block.text.split("\n\n"))
        case Points():
            items = "\n".join(f"<li>{escape(one)}</li>" for one in block.items)
            return f"<ul>{items}</ul>\n"
        case Verdict():
            return f'<p class="verdict {block.tone}">{escape(block.text)}</p>\n'
        case Facts():
            rows = "".join(f"<dt>{escape(key)}</dt><dd>{_cell(value)}</dd>\n" for key, value in block.rows)
            return f"<dl>\n{rows}</dl>\n"
        case Code():
            return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>\n'


def _table(name: str, table: Table) -> str:
    numeric = [_is_numeric(table, at) for at in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{_class(is_number)}>{escape(title).replace("_", "_<wbr>")}</th>'
        for title, is_number in zip(table.columns, numeric, strict=True)
    )
    body = "".join(_table_row(row, numeric) for row in table.rows)
    caption = f'<caption id="{name}">{escape(table.caption)}</caption>' if table.caption else ""
    label = f'aria-labelledby="{name}"' if table.caption else 'aria-label="Table"'
    more = f'<p class="more">and {table.more:,} more</p>\n' if table.more else ""
    wide = ' class="wide"' if len(table.columns) > WIDE else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" {label}><table{wide}>{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n{more}"
    )


def _table_row(row: tuple[Cell, ...], numeric: list[bool]) -> str:
    cells = "".join(
        f'<th scope="row">{_cell(value)}</th>'
        if at == 0 and not numeric[0]
        else f"<td{_class(numeric[at])}>{_cell(value)}</td>"
        for at, value in enumerate(row)
    )
    return f"<tr>{cells}</tr>\n"


def _is_numeric(table: Table, at: int) -> bool:
    values = [row[at] for row in table.rows if row[at] is not None]
    return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(value: Cell) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(tell(value))


def _figure(figure: Figure) -> str:
    alt = escape(figure.alt)
    still = ""
    if figure.png:
        data = f"data:image/png;base64,{b64encode(figure.png).decode()}"
        still = f'<img class="still"{_size(figure.png)} alt="{alt}" src="{data}">'
    live = "".join(_live(figure.spec, alt)) if figure.spec else ""
    caption = f"<strong>{escape(figure.title)}.</strong> {escape(figure.caption)}".rstrip()
    mark = " data-live" if figure.spec else ""
    return (
        f'<figure{mark}><div class="chart">{still}{live}</div><figcaption>{caption}</figcaption></figure>\n'
    )


def _size(png: bytes) -> str:
    """Return how large a picture is shown: half its pixels, which are for fine screens and paper."""
    if png[12:16] != b"IHDR":
        return ""
    width, height = struct.unpack_from(">II", png, 16)  # https://www.w3.org/TR/png-3/#11IHDR
    return f' width="{(width + 1) // 2}" height="{(height + 1) // 2}"'


def _live(spec: Mapping[str, Any], alt: str) -> Iterator[str]:
    # The page has a heading for it, and a title within the chart would be read twice.
    shown = {key: value for key, value in spec.items() if key not in ("title", "background")}
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    yield f'<div class="live-only" role="img" aria-label="{alt}"></div>'
    yield f'<script type="application/json">{safe}</script>'
