"""The page in a real browser: drawn, asking nobody, readable in both themes, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from headrace.core.picture import Box, Link
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
from headrace.reports.html import to_html
from tests.browser import Page, needs_chromium, open_browser

pytestmark = needs_chromium

EVIL = "</script><script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"
SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": [{"x": 1, "y": 2, "k": EVIL}, {"x": 2, "y": 1, "k": "b"}]},
    "mark": {"type": "line", "tooltip": True},
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
        "color": {"field": "k", "type": "nominal"},
    },
    "width": 400,
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

# Contrast as WCAG 2.2 has it (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio), of every text that shows.
CONTRAST = """
(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const passed_over = node.closest("script, style, svg, .skip") || !node.checkVisibility();
    if (!walker.currentNode.data.trim() || passed_over) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${node.tagName} ${walker.currentNode.data.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
})()
"""


def make_report() -> Report:
    pipeline = Pipeline(
        title="toy",
        boxes=(Box(name="load", state="cached"), Box(name="fit", state="ran", seconds=1.5)),
        links=(Link(source="load", target="fit", artifacts=("rows",)),),
    )
    figure = Figure(title="A curve", alt=f"it falls {EVIL}", caption="c", spec=SPEC, png=PIXEL)
    still = Figure(title="A picture", alt="one pixel", png=PIXEL)
    wide = Table(
        columns=(*(f"column {n}" for n in range(30)), EVIL), rows=((EVIL, *range(30)),), caption="Wide."
    )
    return Report(
        title=f"Run {EVIL}",
        subtitle="today",
        sections=(
            Section("Summary", (Verdict("fine", "good"), Verdict("not fine", "bad"), Facts((("a", 1),)))),
            Section("Words", (Text("one\n\ntwo"), Points(("x", EVIL)), Code(f"echo '{EVIL}'"))),
            Section("Tables", (Heading("Part"), wide, Folded("More", (Text("within"),)))),
            Section("Pipeline", (Picture(pipeline),)),
            Section("Figures", (Row((figure, still)), figure)),
        ),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return the page of a report, open and drawn."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(to_html(make_report()), "utf-8")
    with open_browser() as found:
        found.open(file, "document.body.dataset.drawn === '2'")
        yield found


def test_figures_are_drawn_and_nothing_goes_wrong(page: Page) -> None:
    """Each specification has become an interactive chart, without an error in the console."""
    assert page.errors == []
    assert page.evaluate("document.querySelectorAll('figure .live-only svg').length") == 2


def test_no_request_leaves_the_page(page: Page) -> None:
    """It asks for itself, and for what it holds itself; it could ask for nothing else."""
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert sum(url.startswith("file:") for url in page.requests) == 1
    asked = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert page.evaluate(asked) == "refused"
    page.errors.clear()  # the browser tells of what it has refused


def test_what_came_from_data_stays_text(page: Page) -> None:
    """A column, a label or a title that looks like a script is shown and not run."""
    assert page.evaluate("window.hacked === undefined")
    assert page.evaluate("document.querySelector('h1').textContent").endswith(EVIL)


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    """On a phone too only tables scroll sideways, each by itself."""
    page.resize(width)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].some((one) => one.scrollWidth > one.clientWidth)"
    )
    page.resize(1200)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(page: Page, scheme: str) -> None:
    """4.5 to 1 at least, in both themes."""
    page.prefer(scheme)
    assert page.evaluate(CONTRAST) == []
    page.prefer("light")


def test_figures_follow_the_theme(page: Page) -> None:
    """Axes are drawn in the ink of the page, also after the reader has changed it."""
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
    drawn = "document.querySelector('figure svg .role-axis-title text').getAttribute('fill')"
    for scheme in ("dark", "light"):
        page.prefer(scheme)
        wait = (
            f"new Promise((d) => {{ const f = () => {drawn} === {ink} ? d(true) : setTimeout(f, 30); f(); }})"
        )
        assert page.evaluate(wait)


def test_in_print_the_still_pictures_show(page: Page) -> None:
    """Paper cannot be pointed at; the pictures have an alternative text there too."""
    page.prefer("light", "print")
    shown = "[...document.querySelectorAll('figure img')].every((one) => one.checkVisibility())"
    assert page.evaluate(shown)
    assert not page.evaluate("document.querySelector('nav').checkVisibility()")
    page.prefer("light")


def test_what_is_folded_is_open_on_paper(page: Page) -> None:
    """It is closed on a screen until it is opened."""
    inside = "document.querySelector('details p')"
    shown = f"{inside}.checkVisibility({{contentVisibilityAuto: true}})"
    assert not page.evaluate(shown)
    page.prefer("light", "print")
    # The browser lays out again before its next frame, not at once.
    look = f"{shown} && {inside}.offsetHeight > 0 ? done(true) : setTimeout(look, 30)"
    assert page.evaluate(f"new Promise((done) => {{ const look = () => {look}; look(); }})")
    page.prefer("light")


def test_it_is_read_in_order(page: Page) -> None:
    """One h1, no level of headings left out, landmarks, names for all pictures and tables, a language."""
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((one) => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("['header', 'nav', 'main', 'footer'].every((one) => document.querySelector(one))")
    assert page.evaluate("[...document.images].every((one) => one.alt)")
    named = "(one) => one.ariaLabel || one.hasAttribute('aria-labelledby') || one.querySelector('title')"
    assert page.evaluate(f"[...document.querySelectorAll('[role=img]')].every({named})")
    assert page.evaluate("[...document.querySelectorAll('thead th')].every((one) => one.scope === 'col')")
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == (
        page.evaluate("document.querySelectorAll('[id]').length")
    )
