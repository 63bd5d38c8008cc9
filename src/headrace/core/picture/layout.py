"""Where everything of a picture stands, in cells of a character each: for a terminal as for SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from headrace.core.picture.drawing import Drawing, Frame, Wire
from headrace.core.picture.labels import place_labels
from headrace.core.picture.layers import Hop, Rows, Slot, build_rows, find_hops
from headrace.core.picture.model import Box, Picture
from headrace.core.picture.routes import Channel, route
from headrace.core.picture.spread import spread

LANE = 2  # cells: a line may keep out of the way of another by one
BETWEEN_BOXES = 2
PASSES = 8
LONGEST_NAME = 32


def arrange(picture: Picture, width: int, tall: bool = False) -> Drawing | None:
    """Place a picture in `width` cells, growing downward; None where it cannot be that narrow.

    `tall` sets state and seconds below the name of a stage instead of beside it.
    """
    lines = {box.name: _lines(box, tall) for box in picture.boxes}
    at_most = max(len(picture.boxes), 1)
    while at_most:
        rows = build_rows(picture, at_most)
        hops = find_hops(picture, rows)
        sizes = _sizes(rows, hops, lines)
        if all(_used(row, sizes) <= width for row in rows):
            return _draw(picture, rows, hops, sizes, lines, width)
        at_most = min(at_most, max(sum(not slot.is_lane for slot in row) for row in rows)) - 1
    return None


def _lines(box: Box, tall: bool) -> tuple[str, ...]:
    name = box.name if len(box.name) <= LONGEST_NAME else f"{box.name[: LONGEST_NAME - 1]}…"
    name = "".join(c if c.isprintable() else "�" for c in name)
    if tall:
        return (name, box.note)
    return (f"{name}  {box.note}".rstrip(),)


def _sizes(
    rows: Rows, hops: Sequence[Sequence[Hop]], lines: Mapping[str, tuple[str, ...]]
) -> dict[Slot, int]:
    """Return the width of each slot; a box has room for a line of each stage that it reads."""
    coming = {slot: 0 for row in rows for slot in row}
    for between in hops:
        for _, lower in between:
            coming[lower] += 1
    return {
        slot: LANE if slot.is_lane else max(*map(len, lines[slot.name]), 3 * coming[slot] - 2) + 4 | 1
        for row in rows
        for slot in row
    }


def _gaps(row: Sequence[Slot]) -> list[int]:
    both = [not left.is_lane and not right.is_lane for left, right in pairwise(row)]
    return [0, *(BETWEEN_BOXES if boxes else 1 for boxes in both)]


def _used(row: Sequence[Slot], sizes: Mapping[Slot, int]) -> int:
    return sum(sizes[slot] for slot in row) + sum(_gaps(row))


def _draw(
    picture: Picture,
    rows: Rows,
    hops: Sequence[Sequence[Hop]],
    sizes: Mapping[Slot, int],
    lines: Mapping[str, tuple[str, ...]],
    width: int,
) -> Drawing:
    left = _place(rows, hops, sizes, width)
    channels = route(rows, hops, left, sizes)
    height = 2 + max((len(some) for some in lines.values()), default=1)
    tops, below = [], 0
    for number in range(len(rows)):
        tops.append(below)
        below += height + (channels[number].height if number < len(channels) else 0)
    row_of = {slot.name: number for number, row in enumerate(rows) for slot in row if not slot.is_lane}
    frames = tuple(
        Frame(
            box=box,
            x=left[slot],
            y=tops[row_of[box.name]],
            width=sizes[slot],
            height=height,
            lines=lines[box.name],
        )
        for box in picture.boxes
        for slot in (Slot(box.name, row_of[box.name], is_lane=False),)
    )
    wires = tuple(
        Wire(
            source=link.source,
            target=link.target,
            artifacts=link.artifacts,
            points=_points(link.source, link.target, row_of, channels, [top + height for top in tops]),
        )
        for link in picture.links
    )
    right = max((frame.x + frame.width for frame in frames), default=0)
    right = max([right, *(x + 1 for wire in wires for x, _ in wire.points)])
    labels = place_labels(frames, wires, width)
    right = max([right, *(label.x + len(label.text) for label in labels)])
    return Drawing(picture=picture, width=right, height=below, frames=frames, wires=wires, labels=labels)


def _place(
    rows: Rows, hops: Sequence[Sequence[Hop]], sizes: Mapping[Slot, int], width: int
) -> dict[Slot, int]:
    """Return the left end of each slot, near its neighbours above and below."""
    above: dict[Slot, list[Slot]] = {slot: [] for row in rows for slot in row}
    beneath: dict[Slot, list[Slot]] = {slot: [] for row in rows for slot in row}
    for between in hops:
        for upper, lower in between:
            above[lower].append(upper)
            beneath[upper].append(lower)
    left: dict[Slot, int] = {}
    for row in rows:
        middle = [(width - sizes[slot]) / 2 for slot in row]
        left |= zip(row, spread(middle, [sizes[s] for s in row], _gaps(row), width), strict=True)
    for turn in range(PASSES):
        down = turn % 2 == 1  # the last pass goes down, so that what is read stands above
        near = above if down else beneath
        for row in rows if down else reversed(rows):
            wanted: list[float] = []
            for slot in row:
                middles = [left[other] + sizes[other] // 2 for other in near[slot]]
                own = left[slot] + sizes[slot] // 2
                wanted.append((sum(middles) / len(middles) if middles else own) - sizes[slot] // 2)
            left |= zip(row, spread(wanted, [sizes[s] for s in row], _gaps(row), width), strict=True)
    first = min(left.values(), default=0)
    return {slot: x - first for slot, x in left.items()}


def _points(
    source: str, target: str, row_of: Mapping[str, int], channels: Sequence[Channel], bottoms: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    points: list[tuple[int, int]] = []
    for number in range(row_of[source], row_of[target]):
        net, y = channels[number].nets[source], bottoms[number]
        if not points:
            points.append((net.start, y - 1))
        arrives = number + 1 == row_of[target]
        end = net.ends[Slot(target if arrives else source, number + 1, is_lane=not arrives)]
        if end != net.start:
            points += [(net.start, y + net.track), (end, y + net.track)]
        last = y + channels[number].height
    points.append((end, last))
    return tuple(points)
