"""A picture as SVG: readable in light and dark, printed, and by a screen reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from headrace.core.picture.drawing import Cell, Drawing, Frame, Label, Wire
from headrace.core.picture.layout import arrange
from headrace.core.picture.model import Picture

CELL_WIDTH, CELL_HEIGHT = 8, 17  # of a character of 13 pixels, which takes 7.8 by most monospaced fonts
FONT_SIZE = 13
ROUND = 6
PHONE = 56  # cells: on a screen of 360 pixels the letters are still those of a footnote

_STYLE = """
.hr-picture{--hr-line:currentColor;--hr-ok:#2e7d32;--hr-go:#b26a00;--hr-bad:#c62828;color:inherit;
max-width:100%;height:auto;font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){.hr-picture{--hr-ok:#81c784;--hr-go:#ffb74d;--hr-bad:#ef9a9a}}
:root[data-theme=light] .hr-picture{--hr-ok:#2e7d32;--hr-go:#b26a00;--hr-bad:#c62828}
:root[data-theme=dark] .hr-picture{--hr-ok:#81c784;--hr-go:#ffb74d;--hr-bad:#ef9a9a}
@media print{.hr-picture{--hr-ok:#2e7d32;--hr-go:#b26a00;--hr-bad:#c62828}}
.hr-picture text{fill:currentColor}
.hr-picture .box{fill:currentColor;fill-opacity:.04;stroke:currentColor;stroke-opacity:.55}
.hr-picture .wire{fill:none;stroke:currentColor;stroke-opacity:1;stroke-width:1.1}
.hr-picture .tip{fill:currentColor}
.hr-picture .label{opacity:.75;font-size:11.5px}
.hr-picture .ok .box{stroke:var(--hr-ok);stroke-opacity:1}.hr-picture .ok .note{fill:var(--hr-ok)}
.hr-picture .go .box{stroke:var(--hr-go);stroke-opacity:1}.hr-picture .go .note{fill:var(--hr-go)}
.hr-picture .bad .box{stroke:var(--hr-bad);stroke-opacity:1;stroke-width:2.2}
.hr-picture .bad .note{fill:var(--hr-bad)}
.hr-picture .kept .box{stroke-dasharray:5 3}
.hr-picture .off{opacity:.6}
""".replace("\n", "")

_TONES = {
    "cached": "ok kept",
    "ran": "ok",
    "run": "go",
    "running": "go",
    "maybe": "go kept",
    "failed": "bad",
    "pruned": "off",
    "skipped": "off",
}


def to_svg(picture: Picture, width: int = PHONE, name: str = "pipeline") -> str:
    """Return one `<svg>` element, which may stand in a page or in a file of its own.

    Args:
        picture: What to draw.
        width: Cells that it has; it takes more only where it must, and grows downward.
        name: What the ids in it begin with; another one for each picture in a page.
    """
    drawing = None
    while drawing is None:
        drawing = arrange(picture, width, tall=True)
        width = width * 5 // 4 + 1
    wide, high = drawing.width * CELL_WIDTH, drawing.height * CELL_HEIGHT
    mark = escape(name, quote=True)
    parts = [
        f'<svg class="hr-picture" xmlns="http://www.w3.org/2000/svg" role="img" width="{wide}"'
        f' viewBox="0 0 {wide} {high}" aria-labelledby="{mark}-title {mark}-desc">',
        f'<title id="{mark}-title">{_text(picture.title)}</title>',
        f'<desc id="{mark}-desc">{_text(describe(picture))}</desc>',
        f"<style>{_STYLE}</style>",
        *_wires(drawing),
        *_joints(drawing),
        *map(_frame, drawing.frames),
        *(_tip(wire) for wire in drawing.wires),
        *map(_label, drawing.labels),
        "</svg>",
    ]
    return "".join(parts)


def describe(picture: Picture) -> str:
    """Say in sentences what a picture shows, for those who do not see it."""
    said = []
    for box in picture.boxes:
        reads = [f"{', '.join(link.artifacts)} of {link.source}" for link in picture.links]
        own = [text for text, link in zip(reads, picture.links, strict=True) if link.target == box.name]
        note = f" ({box.note})" if box.note else ""
        said.append(f"{box.name}{note} reads {'; '.join(own)}." if own else f"{box.name}{note} begins.")
    return " ".join(said)


def _frame(frame: Frame) -> str:
    tone = _TONES.get(frame.box.state.lower(), "")
    x, y = frame.x * CELL_WIDTH, frame.y * CELL_HEIGHT + CELL_HEIGHT // 2
    width, height = frame.width * CELL_WIDTH, (frame.height - 1) * CELL_HEIGHT
    middle = x + width / 2
    lines = [line for line in frame.lines if line]
    first = y + height / 2 - (len(lines) - 1) * CELL_HEIGHT / 2 + FONT_SIZE * 0.35
    texts = "".join(
        f'<text class="{"note" if number else "name"}" x="{middle:g}"'
        f' y="{first + number * CELL_HEIGHT:g}" text-anchor="middle">{_text(line)}</text>'
        for number, line in enumerate(lines)
    )
    why = f"<title>{_text(frame.box.reason)}</title>" if frame.box.reason else ""
    box = f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="{ROUND}"/>'
    return f'<g class="{tone}">{why}{box}{texts}</g>'


def _centre(x: int, y: int) -> Cell:
    return x * CELL_WIDTH + CELL_WIDTH // 2, y * CELL_HEIGHT + CELL_HEIGHT // 2


def _wires(drawing: Drawing) -> Iterator[str]:
    """Draw each way from where it parts from those of its stage that are drawn: twice would be bolder."""
    drawn: dict[str, set[Cell]] = {}
    for wire in drawing.wires:
        own = drawn.setdefault(wire.source, set())
        shared = [cell for cell in wire.cells() if cell in own]
        own.update(wire.cells())
        yield _wire(wire, _after(wire.points, shared[-1]) if shared else list(wire.points))


def _after(points: Sequence[Cell], start: Cell) -> list[Cell]:
    """Return a way from a cell on it."""
    for number, (one, other) in enumerate(pairwise(points)):
        low, high = sorted((one, other))
        if low[0] <= start[0] <= high[0] and low[1] <= start[1] <= high[1] and start != other:
            return [start, *points[number + 1 :]]
    return [start, points[-1]]


def _wire(wire: Wire, way: Sequence[Cell]) -> str:
    """Draw a way with round bends."""
    points = [_centre(x, y) for x, y in way]
    path = f"M{points[0][0]} {points[0][1]}"
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        bend = min(ROUND, _far(before, (x, y)) // 2, _far((x, y), after) // 2)
        (from_x, from_y), (to_x, to_y) = _towards((x, y), before, bend), _towards((x, y), after, bend)
        path += f"L{from_x} {from_y}Q{x} {y} {to_x} {to_y}"
    path += f"L{points[-1][0]} {points[-1][1] - 4}"
    said = f"{wire.source} to {wire.target}: {', '.join(wire.artifacts)}"
    return f'<path class="wire" d="{path}"><title>{_text(said)}</title></path>'


def _far(one: Cell, other: Cell) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Cell, end: Cell, by: int) -> Cell:
    step_x, step_y = (end[0] > start[0]) - (end[0] < start[0]), (end[1] > start[1]) - (end[1] < start[1])
    return start[0] + step_x * by, start[1] + step_y * by


def _tip(wire: Wire) -> str:
    x, y = _centre(*wire.points[-1])
    return f'<path class="tip" d="M{x - 4} {y - 7}h8l-4 7z"/>'


def _joints(drawing: Drawing) -> Iterator[str]:
    """Mark where the wires of one stage part, which is no crossing."""
    bends: dict[tuple[str, Cell], set[Cell]] = {}
    for wire in drawing.wires:
        for before, here in pairwise(wire.points):
            _note_ways(bends, wire.source, before, here)
    parts = {cell for (_, cell), ways in bends.items() if len(ways) > 2}
    for x, y in sorted(parts):
        at_x, at_y = _centre(x, y)
        yield f'<circle class="tip" cx="{at_x}" cy="{at_y}" r="2.4"/>'


def _note_ways(ways: dict[tuple[str, Cell], set[Cell]], source: str, start: Cell, end: Cell) -> None:
    step = ((end[0] > start[0]) - (end[0] < start[0]), (end[1] > start[1]) - (end[1] < start[1]))
    at = start
    while at != end:
        ways.setdefault((source, at), set()).add(step)
        at = (at[0] + step[0], at[1] + step[1])
        ways.setdefault((source, at), set()).add((-step[0], -step[1]))


def _label(label: Label) -> str:
    x, y = label.x * CELL_WIDTH, label.y * CELL_HEIGHT + CELL_HEIGHT // 2 + 3
    return f'<text class="label" x="{x}" y="{y}">{_text(label.text)}</text>'


def _text(text: str) -> str:
    return escape("".join(c if c.isprintable() else "�" for c in text), quote=False)
