"""What a report says, before it is rendered: one specification for HTML, Markdown and W&B."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from headrace.core.picture import Picture as Pipeline

Cell = str | float | int | bool | None
"""What stands in a table. A renderer writes numbers in few digits, and None as nothing."""

Tone = Literal["good", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What the blocks after it are about, below the title of the section."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs of plain text, with a blank line between two."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences that stand side by side, in no order."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report comes to, in a sentence; `tone` is never the only thing that says it."""

    text: str
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, each of which is a fact by itself."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under column names. `more` rows were left out, so that a report stays one to read."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    more: int = 0

    def without_empty(self) -> Table:
        """Return the table without columns that say nothing in any row."""
        told = [at for at in range(len(self.columns)) if any(row[at] not in (None, "") for row in self.rows)]
        return replace(
            self,
            columns=tuple(self.columns[at] for at in told),
            rows=tuple(tuple(row[at] for at in told) for row in self.rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart: `spec` is Vega-Lite with all its data, `png` the picture of it; one of them may be missing.

    `alt` says what it shows to those who do not see it.
    """

    title: str
    alt: str
    caption: str = ""
    spec: Mapping[str, Any] | None = None
    png: bytes = b""


@dataclass(frozen=True, slots=True)
class Row:
    """Figures to look at side by side, where there is room."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of a pipeline."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy, such as a command."""

    text: str
    language: str = "bash"


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that a reader opens when they want them; on paper they are open."""

    title: str
    blocks: tuple[Block, ...]


Block = Heading | Text | Points | Verdict | Facts | Table | Figure | Row | Picture | Code | Folded


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A title, what stands below it, and sections; those without a block are left out by `keep`."""

    title: str
    subtitle: str = ""
    sections: tuple[Section, ...] = ()

    def figures(self) -> Iterator[Figure]:
        """Yield every figure, in order."""
        for section in self.sections:
            yield from _figures(section.blocks)


def _figures(blocks: tuple[Block, ...]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Row):
            yield from block.figures
        elif isinstance(block, Folded):
            yield from _figures(block.blocks)


def under(title: str, blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks with a heading before them; without blocks there is no heading."""
    told = tuple(blocks)
    return (Heading(title), *told) if told else ()


def keep(*sections: Section) -> tuple[Section, ...]:
    """Return the sections that have something to say."""
    return tuple(section for section in sections if section.blocks)
