"""A picture as lines for a terminal: box-drawing characters, or ASCII where it knows no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from headrace.core.picture.drawing import Cell, Drawing, Frame
from headrace.core.picture.layout import arrange
from headrace.core.picture.model import Picture

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_UNICODE = "·│││─┘┐┤─└┌├─┴┬┼"
_ASCII = "+|||-+++-+++-+++"
RESET = "\033[0m"
COLOURS: Mapping[str, str] = {
    **dict.fromkeys(("cached", "ran"), "\033[32m"),
    **dict.fromkeys(("run", "running"), "\033[33m"),
    **dict.fromkeys(("maybe", "pruned"), "\033[36m"),
    "failed": "\033[31m",
    "skipped": "\033[2m",
}
NARROWEST = 20


def to_text(picture: Picture, width: int = 100, ascii_only: bool = False, colour: bool = False) -> list[str]:
    """Return the lines of a picture, none wider than `width` cells.

    Where even one stage a row is too wide, it is a list of the stages with what they read. Every
    character counts as one cell, which those of East Asian scripts are not.
    """
    drawing = arrange(picture, width) or arrange(picture, width, tall=True)
    if drawing is None:
        return [_cut(line, width, ascii_only) for line in _list(picture, max(width, NARROWEST))]
    return _paint(drawing, ascii_only, colour)


def _paint(drawing: Drawing, ascii_only: bool, colour: bool) -> list[str]:
    canvas = [[" "] * drawing.width for _ in range(drawing.height)]
    glyphs = _ASCII if ascii_only else _UNICODE
    for (x, y), glyph in _wire_glyphs(drawing, glyphs):
        canvas[y][x] = glyph
    for label in drawing.labels:
        canvas[label.y][label.x : label.x + len(label.text)] = _plain(label.text, ascii_only)
    for frame in drawing.frames:
        _paint_frame(canvas, frame, ascii_only, colour)
    for wire in drawing.wires:
        (x, y), (to_x, to_y) = wire.points[0], wire.points[-1]
        canvas[y][x] = "+" if ascii_only else "┬"
        canvas[to_y][to_x] = "v" if ascii_only else "▼"
    return ["".join(row).rstrip() for row in canvas]


def _wire_glyphs(drawing: Drawing, glyphs: str) -> Iterator[tuple[Cell, str]]:
    """Yield the character of each cell that wires pass; where two stages' wires cross, one passes over."""
    ways: dict[Cell, dict[str, int]] = {}
    for wire in drawing.wires:
        for (x, y), (to_x, to_y) in pairwise(wire.points):
            step_x, step_y = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
            ahead = {(1, 0): RIGHT, (-1, 0): LEFT, (0, 1): DOWN}[step_x, step_y]
            back = {RIGHT: LEFT, LEFT: RIGHT, DOWN: UP}[ahead]
            while (x, y) != (to_x, to_y):
                _mark(ways, (x, y), wire.source, ahead)
                x, y = x + step_x, y + step_y
                _mark(ways, (x, y), wire.source, back)
    for cell, by_source in ways.items():
        # Never more than a vertical one across a horizontal one; the vertical one passes over.
        ways_here = max(by_source.values(), key=lambda way: way & (UP | DOWN))
        yield cell, glyphs[ways_here]


def _mark(ways: dict[Cell, dict[str, int]], cell: Cell, source: str, way: int) -> None:
    here = ways.setdefault(cell, {})
    here[source] = here.get(source, 0) | way


def _paint_frame(canvas: list[list[str]], frame: Frame, ascii_only: bool, colour: bool) -> None:
    corners, side = ("++++", "|-") if ascii_only else ("┌┐└┘", "│─")
    end = frame.x + frame.width - 1
    for y in range(frame.y, frame.y + frame.height):
        canvas[y][frame.x] = canvas[y][end] = side[0]
    for y, left, right in (
        (frame.y, corners[0], corners[1]),
        (frame.y + frame.height - 1, corners[2], corners[3]),
    ):
        canvas[y][frame.x : end + 1] = [left, *side[1] * (frame.width - 2), right]
    for number, line in enumerate(frame.lines):
        text, room = _plain(line, ascii_only), frame.width - 2
        canvas[frame.y + 1 + number][frame.x + 1 : end] = (" " * ((room - len(text)) // 2) + text).ljust(room)
    if colour and (start := COLOURS.get(frame.box.state.lower())):
        # A colour begins at the state: what is before it, the name, is read best in the terminal's own.
        y = frame.y + frame.height - 2
        row = "".join(canvas[y][frame.x + 1 : end])
        at = row.rfind(frame.box.state)
        if at >= 0:
            canvas[y][frame.x + 1 + at] = start + canvas[y][frame.x + 1 + at]
            canvas[y][end - 1] += RESET


def _list(picture: Picture, width: int) -> Iterator[str]:
    """Yield a line for each stage, and below it what it reads of which other."""
    for box in picture.boxes:
        yield f"{box.name}  {box.note}".rstrip()
        for link in picture.links:
            if link.target == box.name:
                yield f"  <- {link.source}: {', '.join(link.artifacts)}"


def _cut(line: str, width: int, ascii_only: bool) -> str:
    line = _plain(line, ascii_only)
    more = "~" if ascii_only else "…"
    return line if len(line) <= width else f"{line[: width - 1]}{more}"


def _plain(text: str, ascii_only: bool) -> str:
    text = "".join(c if c.isprintable() else "�" for c in text)
    if not ascii_only:
        return text
    return "".join({"…": "~", "→": ">"}.get(c, c if c.isascii() else "?") for c in text)
