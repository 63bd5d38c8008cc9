"""The report as Markdown, with its pictures by name."""

from __future__ import annotations

from headrace.core.picture import Box
from headrace.core.picture import Picture as Pipeline
from headrace.core.report import (
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
from headrace.reports.markdown import to_markdown


def text_of(*blocks: object) -> str:
    return to_markdown(Report(title="t", sections=(Section("s", tuple(blocks)),)))[0]  # type: ignore[arg-type]


def test_every_block_is_written() -> None:
    """Headings, sentences, a verdict with its lines, facts, a table, a picture and code."""
    text = text_of(
        Text("hello"), Points(("a", "b")), Verdict("no\n  - why", "bad"), Facts((("key", 3),)),
        Table(columns=("name", "n"), rows=(("x", 1.23456),), caption="All.", more=2),
        Picture(Pipeline(title="p", boxes=(Box(name="load"),), links=())), Code("ls"),
    )  # fmt: skip
    assert text.startswith("# t\n")
    assert "## s\n\nhello\n\n- a\n- b\n\n> ❌ **no**\n>\n>   - why\n" in text
    assert "| key | 3 |" in text
    assert "All.\n\n| name | n |\n|---|---:|\n| x | 1.235 |\n\nand 2 more" in text
    assert "```mermaid\nflowchart TD" in text
    assert "```bash\nls\n```" in text


def test_nothing_of_the_data_is_markup() -> None:
    """Pipes do not end a cell, tags and emphasis are shown as they are, and code keeps its fence."""
    text = text_of(Table(columns=("a|b",), rows=(("<b>*x*</b>\nnext",),)), Code("```\nrm"))
    assert "| a\\|b |" in text
    assert "| \\<b\\>\\*x\\*\\</b\\> next |" in text
    assert "````bash\n```\nrm\n````" in text


def test_pictures_are_files_with_names_of_their_own() -> None:
    """Two figures of one title are two files, and one without a picture is its words."""
    figures = (
        Figure(title="A curve", alt="falls [x]", caption="c", png=b"1"),
        Figure(title="A curve", alt="rises", png=b"2"),
        Figure(title="None", alt="none"),
    )
    text, pictures = to_markdown(Report(title="t", sections=(Section("s", (Row(figures),)),)))
    assert pictures == {"figures/a-curve.png": b"1", "figures/a-curve-2.png": b"2"}
    assert "![falls  x ](figures/a-curve.png)\n\n**A curve.** c" in text
    assert "![rises](figures/a-curve-2.png)" in text
    assert "**None.**" in text


def test_folded_parts_and_headings() -> None:
    """Blank lines around what is folded, since Markdown within a tag needs them."""
    text = text_of(Heading("A part"), Folded("a < b", (Text("inside"), Figure(title="f", alt="x", png=b"1"))))
    assert "### A part\n" in text
    assert "<details><summary>a &lt; b</summary>\n\ninside\n\n![x](figures/f.png)" in text
    assert text.rstrip().endswith("</details>")
