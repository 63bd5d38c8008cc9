"""The ways of the lines between two rows: where they leave, where they arrive, and where they turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.core.picture.layers import Hop, Rows, Slot
from headrace.core.picture.spread import spread


@dataclass(slots=True)
class Net:
    """The lines of one stage through a channel: down from `start`, along a track, down to each of `ends`."""

    start: int
    ends: dict[Slot, int]
    track: int = 0

    @property
    def span(self) -> tuple[int, int]:
        columns = [self.start, *self.ends.values()]
        return min(columns), max(columns)

    @property
    def turns(self) -> bool:
        return any(end != self.start for end in self.ends.values())


@dataclass(frozen=True, slots=True)
class Channel:
    """The cells between two rows: a track a line, and one for the labels. `nets` are by stage."""

    nets: Mapping[str, Net]
    height: int


def route(
    rows: Rows, hops: Sequence[Sequence[Hop]], left: Mapping[Slot, int], sizes: Mapping[Slot, int]
) -> list[Channel]:
    """Return the channel below each row but the last.

    Where a line arrives, no line of another stage leaves in the same column: so no order of tracks lets
    two lines lie on each other.
    """
    leaves = {slot: left[slot] + (0 if slot.is_lane else sizes[slot] // 2) for row in rows for slot in row}
    channels = []
    for number, between in enumerate(hops):
        used = {leaves[slot]: slot for slot in rows[number]}
        nets: dict[str, Net] = {}
        for lower in rows[number + 1]:
            coming = sorted((upper for upper, slot in between if slot == lower), key=leaves.__getitem__)
            for upper, column in _arrive(lower, coming, leaves, used, left, sizes):
                net = nets.setdefault(upper.name, Net(leaves[upper], {}))
                net.ends[lower] = column
                if lower.is_lane:
                    leaves[lower] = column
        tracks = _assign_tracks([net for net in nets.values() if net.turns])
        channels.append(Channel(nets, tracks + 1))
    return channels


def _arrive(
    lower: Slot,
    coming: Sequence[Slot],
    leaves: Mapping[Slot, int],
    used: Mapping[int, Slot],
    left: Mapping[Slot, int],
    sizes: Mapping[Slot, int],
) -> list[tuple[Slot, int]]:
    """Give each line that comes to a slot a column: straight down where that can be.

    Each has two columns to choose from, and lines leave with a column between them: one is free.
    """
    if lower.is_lane:
        windows = [left[lower]]
    else:
        first, end = left[lower] + 1, sizes[lower] - 2
        wanted = [float(leaves[upper] - first) for upper in coming]
        gaps = [0] + [1] * (len(coming) - 1)
        windows = [first + at for at in spread(wanted, [2] * len(coming), gaps[: len(coming)], end)]
    found = []
    for upper, window in zip(coming, windows, strict=True):
        if leaves[upper] in (window, window + 1):
            column = leaves[upper]
        else:
            column = window if window not in used else window + 1
        found.append((upper, column))
    return found


def _assign_tracks(nets: Sequence[Net]) -> int:
    """Give each net that turns a track, with few crossings; return how many tracks there are."""
    order: list[Net] = []
    for net in sorted(nets, key=lambda one: one.span):
        places = range(len(order) + 1)
        costs = [
            sum(_cost(other, net) for other in order[:place])
            + sum(_cost(net, other) for other in order[place:])
            for place in places
        ]
        order.insert(costs.index(min(costs)), net)
    for number, net in enumerate(order):
        met = [other.track for other in order[:number] if _meet(net, other)]
        net.track = max(met, default=-1) + 1
    return max((net.track for net in order), default=-1) + 1


def _cost(upper: Net, lower: Net) -> int:
    """Count the crossings of two nets, one on a track above the other's."""
    down = sum(lower.span[0] <= end <= lower.span[1] for end in upper.ends.values())
    return down + (upper.span[0] <= lower.start <= upper.span[1])


def _meet(net: Net, other: Net) -> bool:
    return net.span[0] <= other.span[1] + 1 and other.span[0] <= net.span[1] + 1
