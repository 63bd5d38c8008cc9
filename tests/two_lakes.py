"""Doing the same to two lakes, whose commits have different ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from headrace.core.ports import Commit, LakeStore
from headrace.errors import LakeError, MergeConflict

T = TypeVar("T")

Ref = tuple[str | int, str]
"""A name, or the number of a commit, and what follows it. Numbers wrap around."""


class TwoLakes:
    """Two lakes and the pairs of their commits. What is done to both must come to the same."""

    ours: LakeStore
    theirs: LakeStore
    commits: list[tuple[str, str]]

    def _run(
        self, act: Callable[[LakeStore, Callable[[Ref], str]], T], either: set[type[LakeError]]
    ) -> tuple[T | None, T | None]:
        """Do the same on both lakes: both return, or both raise the same; None where they raise."""
        outcomes: list[Any] = []
        errors: list[LakeError | None] = []
        for side, lake in enumerate((self.ours, self.theirs)):
            try:
                outcomes.append(act(lake, self._ref(side)))
                errors.append(None)
            except LakeError as error:
                outcomes.append(None)
                errors.append(error)
        kinds = [type(error) for error in errors]
        assert kinds[0] is kinds[1] or set(kinds) == either, [repr(found) for found in (*errors, *outcomes)]
        if isinstance(errors[0], MergeConflict) and isinstance(errors[1], MergeConflict):
            assert errors[0].paths == errors[1].paths
        return outcomes[0], outcomes[1]

    def _same(self, act: Callable[..., T]) -> T:
        ours, theirs = self._run(act, set())
        assert ours == theirs
        return ours  # type: ignore[return-value]

    def _same_commit(self, act: Callable[..., str]) -> None:
        ours, theirs = self._run(act, set())
        assert dict([*self.commits, (None, None)])[ours] == theirs

    def _made(self, act: Callable[..., Commit], either: set[type[LakeError]] | None = None) -> None:
        ours, theirs = self._run(act, either or set())
        if ours is not None and theirs is not None:
            self._pair(ours.id, theirs.id)
            assert self._told(ours) == plain(theirs)

    def _pair(self, ours: str, theirs: str) -> None:
        assert ours not in dict(self.commits)
        assert theirs not in dict(self.commits).values()
        self.commits.append((ours, theirs))

    def _ref(self, side: int) -> Callable[[Ref], str]:
        def own(ref: Ref) -> str:
            base, steps = ref
            return f"{self.commits[base % len(self.commits)][side] if isinstance(base, int) else base}{steps}"

        return own

    def _told(self, commit: Commit) -> Commit:
        """Say a commit of the embedded lake in the ids of the server."""
        known = dict(self.commits)
        short = {ours[:12]: theirs[:12] for ours, theirs in self.commits}
        message = re.sub(r"\b[0-9a-f]{12}\b", lambda found: short.get(found[0], found[0]), commit.message)
        return plain(
            Commit(
                id=known[commit.id],
                parents=tuple(known[parent] for parent in commit.parents),
                message=message,
                metadata=commit.metadata,
                time=commit.time,
            )
        )


def plain(commit: Commit) -> Commit:
    """Leave out when a commit was made, and what a lake says of its own first one."""
    message = commit.message if commit.parents else ""
    return Commit(
        id=commit.id, parents=commit.parents, message=message, metadata=dict(commit.metadata), time=0.0
    )
