"""In which row each stage stands, and in which order: few lines cross, and each goes down.

As Sugiyama, Tagawa and Toda (1981) draw a hierarchy: rows by what a stage needs, lanes where a line
passes a row, the order in each row by the barycentre of its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.core.picture.model import Picture

SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a row: a stage's box, or a lane in which the lines of stage `name` pass the row."""

    name: str
    row: int
    is_lane: bool


Rows = Sequence[Sequence[Slot]]
Hop = tuple[Slot, Slot]
"""A line from a slot to one in the next row."""


def build_rows(picture: Picture, at_most: int) -> list[list[Slot]]:
    """Return the slots of each row, in an order with few crossings; `at_most` boxes stand in a row."""
    row = _assign_rows(picture, at_most)
    last: dict[str, int] = {}
    for link in picture.links:
        last[link.source] = max(last.get(link.source, 0), row[link.target])
    rows: list[list[Slot]] = [[] for _ in range(1 + max(row.values(), default=-1))]
    for box in picture.boxes:
        rows[row[box.name]].append(Slot(box.name, row[box.name], is_lane=False))
        for passed in range(row[box.name] + 1, last.get(box.name, 0)):
            rows[passed].append(Slot(box.name, passed, is_lane=True))
    return _order(rows, find_hops(picture, rows))


def find_hops(picture: Picture, rows: Rows) -> list[list[Hop]]:
    """Return the lines between each row and the next. Lines of one stage share a lane."""
    targets: dict[str, set[str]] = {box.name: set() for box in picture.boxes}
    for link in picture.links:
        targets[link.source].add(link.target)
    return [
        [
            (upper, lower)
            for upper in rows[number]
            for lower in rows[number + 1]
            if (lower.name == upper.name if lower.is_lane else lower.name in targets[upper.name])
        ]
        for number in range(len(rows) - 1)
    ]


def _assign_rows(picture: Picture, at_most: int) -> dict[str, int]:
    row: dict[str, int] = {}
    filled: Counter[int] = Counter()
    needs: dict[str, list[str]] = {box.name: [] for box in picture.boxes}
    for link in picture.links:
        needs[link.target].append(link.source)
    for box in picture.boxes:
        found = max((row[name] + 1 for name in needs[box.name]), default=0)
        while filled[found] >= at_most:
            found += 1
        row[box.name] = found
        filled[found] += 1
    return row


def _order(rows: list[list[Slot]], hops: Sequence[Sequence[Hop]]) -> list[list[Slot]]:
    best, fewest = rows, _crossings(rows, hops)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        rows = [list(row) for row in rows]
        if sweep % 2 == 0:
            for number in range(1, len(rows)):
                rows[number] = _sort(rows[number], rows[number - 1], [(b, a) for a, b in hops[number - 1]])
        else:
            for number in reversed(range(len(rows) - 1)):
                rows[number] = _sort(rows[number], rows[number + 1], hops[number])
        crossings = _crossings(rows, hops)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sort(row: Sequence[Slot], fixed: Sequence[Slot], hops: Sequence[Hop]) -> list[Slot]:
    """Sort a row by the mean place of each slot's neighbours in the fixed row."""
    place = {slot: number for number, slot in enumerate(fixed)}
    near: dict[Slot, list[int]] = {slot: [] for slot in row}
    for own, other in hops:
        near[own].append(place[other])
    means = {slot: sum(n) / len(n) if n else row.index(slot) for slot, n in near.items()}
    return sorted(row, key=means.__getitem__)


def _crossings(rows: Rows, hops: Sequence[Sequence[Hop]]) -> int:
    total = 0
    for upper, lower, between in zip(rows, rows[1:], hops, strict=False):
        up: Mapping[Slot, int] = {slot: number for number, slot in enumerate(upper)}
        down: Mapping[Slot, int] = {slot: number for number, slot in enumerate(lower)}
        ends = [(up[a], down[b]) for a, b in between]
        total += sum(
            (a - c) * (b - d) < 0 for number, (a, b) in enumerate(ends) for c, d in ends[number + 1 :]
        )
    return total
