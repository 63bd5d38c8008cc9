"""The page as text: whole, escaped, and the same each time."""

from __future__ import annotations

import re

from headrace.core.report import (
    Facts,
    Figure,
    Folded,
    Heading,
    Points,
    Report,
    Row,
    Section,
    Table,
    Text,
    Verdict,
)
from headrace.reports.html import POLICY, to_html

SPEC = {"mark": "bar", "data": {"values": [{"k": "</script>\u2028"}]}, "title": "twice", "encoding": {}}


def page(*blocks: object) -> str:
    return to_html(Report(title="a < b", sections=(Section("One & two", tuple(blocks)),)))  # type: ignore[arg-type]


def test_without_charts_there_is_no_script() -> None:
    """A page of words is small, and holds no Vega."""
    text = page(Text("hello"))
    assert "<script" not in text
    assert len(text) < 10_000


def test_words_and_numbers_are_escaped() -> None:
    """What looks like markup is text, in titles, cells and attributes."""
    evil = '"><b onclick="x">'
    text = page(
        Text(evil), Points((evil,)), Verdict(evil, "bad"), Facts(((evil, evil),)),
        Table(columns=(evil,), rows=((evil,),), caption=evil), Figure(title=evil, alt=evil, png=b"x"),
    )  # fmt: skip
    assert "<b onclick" not in text
    assert "a &lt; b" in text
    assert "One &amp; two" in text


def test_a_specification_cannot_end_its_script() -> None:
    """Within JSON `<` and separators that JavaScript takes for line ends are escapes."""
    text = page(Row((Figure(title="t", alt="a", spec=SPEC),)))
    (inner,) = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert "\\u003c/script>\\u2028" in inner
    assert '"title"' not in inner


def test_numbers_stand_to_the_right_and_what_is_missing_is_empty() -> None:
    """A column of numbers is one although a value is missing; truth values are words."""
    text = page(Table(columns=("name", "n", "ok"), rows=(("a", 1234567, True), ("b", None, False)), more=3))
    assert '<td class="number">1,234,567</td><td>yes</td>' in text
    assert '<td class="number"></td><td>no</td>' in text
    assert "and 3 more" in text


def test_equal_reports_are_equal_pages() -> None:
    """Nothing of the day or the machine is in it, and the policy forbids every connection."""
    report = Report(title="t", sections=(Section("s", (Figure(title="f", alt="a", spec=SPEC, png=b"x"),)),))
    text = to_html(report)
    assert text == to_html(report)
    assert f'content="{POLICY}"' in text
    assert "default-src 'none'" in POLICY
    assert "connect-src" not in POLICY


def test_parts_of_a_section_have_headings_and_folds() -> None:
    """A heading is one level below its section's; what is folded is in the page, charts in it as well."""
    chart = Figure(title="f", alt="a", spec=SPEC)
    text = page(Heading("a < b"), Folded("2 > 1", (Text("inside"), chart)))
    assert "<h3>a &lt; b</h3>" in text
    assert "<details><summary>2 &gt; 1</summary>\n<p>inside</p>" in text
    assert "window.vegaEmbed" in text


def test_a_picture_has_the_size_of_its_chart() -> None:
    """Half its pixels each way; what is no PNG has none."""
    header = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + b"IHDR" + (801).to_bytes(4) + (600).to_bytes(4)
    assert ' width="401" height="300"' in page(Figure(title="f", alt="a", png=header))
    assert " width=" not in page(Figure(title="f", alt="a", png=b"x")).partition("<main")[2]


def test_a_table_of_many_columns_is_a_wide_one() -> None:
    """It is set small on paper, and the names of columns may break at their underscores."""
    columns = tuple(f"a_{n}" for n in range(10))
    text = page(Table(columns=columns, rows=(tuple(range(10)),)))
    assert '<table class="wide">' in text
    assert ">a_<wbr>9</th>" in text
    assert '<table class="wide">' not in page(Table(columns=columns[:9], rows=(tuple(range(9)),)))
