"""Walking the graph of commits."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

from headrace.testing.lakefs.entry import Commit


def newest_first(commits: Mapping[str, Commit], start: str, first_parent: bool = False) -> Iterator[Commit]:
    """Yield the commits reachable from `start`: children before parents, else the later one first."""
    seen = {start}
    heap = [_ranked(commits[start])]
    while heap:
        commit = commits[heapq.heappop(heap)[2]]
        yield commit
        for parent in commit.parents[:1] if first_parent else commit.parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(heap, _ranked(commits[parent]))


def merge_base(commits: Mapping[str, Commit], left: str, right: str) -> Commit | None:
    """Return the best common ancestor: the one of the highest generation, the latest of several."""
    ours = {commit.id for commit in newest_first(commits, left)}
    common = (commit for commit in newest_first(commits, right) if commit.id in ours)
    return min(common, key=_ranked, default=None)


def _ranked(commit: Commit) -> tuple[int, int, str]:
    return (-commit.generation, -commit.number, commit.id)
