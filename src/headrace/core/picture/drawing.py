"""A picture with everything in its place, in cells of a character each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from headrace.core.picture.model import Box, Picture

Cell = tuple[int, int]
"""Column and row, from the upper left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A box with its border: the cells from `x`, `y` on. `lines` stand inside it."""

    box: Box
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The way of a link, from the lower border of its source to the upper one of its target.

    `points` are its ends and bends; wires of one source share the beginning of their ways.
    """

    source: str
    target: str
    artifacts: tuple[str, ...]
    points: tuple[Cell, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield every cell that it passes, its ends too."""
        for (x, y), (to_x, to_y) in pairwise(self.points):
            if x == to_x:
                yield from ((x, at) for at in range(min(y, to_y), max(y, to_y) + 1))
            else:
                yield from ((at, y) for at in range(min(x, to_x), max(x, to_x) + 1))


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside the end of a wire."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything in its place. `width` and `height` are in cells."""

    picture: Picture
    width: int
    height: int
    frames: tuple[Frame, ...]
    wires: tuple[Wire, ...]
    labels: tuple[Label, ...]
