"""A report as Markdown of the kind that GitHub and GitLab show, with its pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape

from headrace.core.picture import to_mermaid
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

FIGURES = "figures"

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_MARKS = {"good": "✅", "bad": "❌", "neutral": "ℹ️"}


def to_markdown(report: Report) -> tuple[str, dict[str, bytes]]:
    """Return the text, and the pictures that it shows by their path relative to it."""
    pictures = name_pictures(report)
    lines = [f"# {_plain(report.title)}", ""]
    if report.subtitle:
        lines += [_plain(report.subtitle), ""]
    for section in report.sections:
        lines += [f"## {_plain(section.title)}", "", *section_markdown(section, pictures)]
    return "\n".join(lines), {path: figure.png for path, figure in pictures.items()}


def section_markdown(section: Section, pictures: Mapping[str, Figure] | None = None) -> list[str]:
    """Return the lines of a section's blocks; figures show those of their pictures that have a path."""
    return [line for block in section.blocks for line in (*_block(block, pictures or {}), "")]


def name_pictures(report: Report) -> dict[str, Figure]:
    """Return the figures that have a picture, by a path that no other has."""
    found: dict[str, Figure] = {}
    for figure in report.figures():
        stem = re.sub(r"\W+", "-", figure.title.lower()).strip("-") or "figure"
        path, number = f"{FIGURES}/{stem}.png", 1
        while path in found:
            number += 1
            path = f"{FIGURES}/{stem}-{number}.png"
        if figure.png:
            found[path] = figure
    return found


def _block(block: Block, pictures: Mapping[str, Figure]) -> Iterator[str]:
    match block:
        case Figure():
            yield from _figure(block, pictures)
        case Row():
            for figure in block.figures:
                yield from (*_figure(figure, pictures), "")
        case Picture():
            yield from ("```mermaid", to_mermaid(block.pipeline).rstrip("\n"), "```")
        case Table():
            if block.caption:
                yield from (_plain(block.caption), "")
            yield from _table(block.columns, list(block.rows))
            if block.more:
                yield from ("", f"and {block.more:,} more")
        case Folded():
            yield from (f"<details><summary>{escape(block.title)}</summary>", "")
            for inner in block.blocks:
                yield from (*_block(inner, pictures), "")
            yield "</details>"
        case _:
            yield from _words(block)


def _words(block: Heading | Text | Points | Verdict | Facts | Code) -> Iterator[str]:
    match block:
        case Heading():
            yield f"### {_plain(block.text)}"
        case Text():
            yield _plain(block.text)
        case Points():
            yield from (f"- {_plain(one)}" for one in block.items)
        case Verdict():
            first, *others = block.text.splitlines() or [""]
            yield f"> {_MARKS[block.tone]} **{_plain(first)}**"
            yield from (f">\n> {_plain(line)}" for line in others)
        case Facts():
            yield from _table(("", ""), [(name, value) for name, value in block.rows])
        case Code():
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
            yield from (f"{fence}{block.language}", block.text, fence)


def _figure(figure: Figure, pictures: Mapping[str, Figure]) -> Iterator[str]:
    path = next((path for path, known in pictures.items() if known is figure), None)
    if path is not None:
        alt = re.sub(r"[\[\]\n]", " ", figure.alt)
        yield from (f"![{alt}]({path})", "")
    yield f"**{_plain(figure.title)}.** {_plain(figure.caption)}".rstrip()


def _table(columns: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> Iterator[str]:
    numeric = [
        bool(rows) and all(isinstance(row[at], int | float) or row[at] is None for row in rows)
        for at in range(len(columns))
    ]
    yield f"| {' | '.join(map(_cell, columns))} |"
    yield f"|{'|'.join('---:' if number else '---' for number in numeric)}|"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(value: Cell) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _plain(tell(value)).replace("\n", " ")


def _plain(text: str) -> str:
    """Return a text that means itself: nothing of it is taken for markup."""
    return _SPECIAL.sub(r"\\\1", text)
