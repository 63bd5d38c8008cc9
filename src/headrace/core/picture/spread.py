"""Places on a line that keep their order and distances, and are as near as can be to where they should be."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], sizes: Sequence[int], gaps: Sequence[int], end: int) -> list[int]:
    """Return where things begin that stand side by side in `range(end)`, in whole cells.

    Isotonic regression by pooling adjacent violators (Ayer et al. 1955): the sum of the squared
    distances to `wanted` is least, before it is rounded.

    Args:
        wanted: Where each would best begin.
        sizes: How many cells each takes.
        gaps: Cells to leave free at least before each; the first counts from 0.
        end: The cells that there are; enough for all, or they stand beyond it.
    """
    offsets, used = [], 0
    for size, gap in zip(sizes, gaps, strict=True):
        offsets.append(used + gap)
        used += gap + size
    pools: list[tuple[float, int]] = []  # mean, count
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    shifts = [mean for mean, count in pools for _ in range(count)]
    room = max(end - used, 0)
    return [offset + min(max(round(shift), 0), room) for shift, offset in zip(shifts, offsets, strict=True)]
