"""Ref expressions such as `main~3` or `v1.2^2`: how they are read, and what is said of a wrong one."""

from __future__ import annotations

import re
from typing import NamedTuple

from headrace.errors import RefNotFound

_REF = re.compile(r"(?P<base>[^~^@]+)(?:(?P<at>@)|(?P<steps>(?:[~^][0-9]*)*))")
_STEP = re.compile(r"([~^])([0-9]*)")


class RefExpression(NamedTuple):
    """A ref taken apart. `bare` means no modifier at all: only then staged objects are seen."""

    base: str
    steps: tuple[tuple[str, int], ...]
    bare: bool
    committed: bool  # `branch@`


def parse_ref(ref: str) -> RefExpression:
    """Take a ref apart. Raises `RefNotFound`."""
    match = _REF.fullmatch(ref)
    if match is None:
        raise RefNotFound(
            f"{ref!r} is no ref: type a branch, a tag or a commit id, each with any number of ~N and ^N"
        )
    steps = tuple((kind, int(count or 1)) for kind, count in _STEP.findall(match["steps"] or ""))
    committed = bool(match["at"])
    return RefExpression(match["base"], steps, bare=not committed and not steps, committed=committed)


def history_ends(ref: str, commit: str, done: int) -> RefNotFound:
    """Say that a ref goes back further than its history, which ends at `commit` after `done` steps."""
    return RefNotFound(f"{ref!r}: the history ends at {commit[:12]}, {done} steps back")


def no_parent(ref: str, commit: str, parents: int, wanted: int) -> RefNotFound:
    """Say that a commit on the way has no parent of that number."""
    return RefNotFound(f"{ref!r}: commit {commit[:12]} has {parents} parents, no {wanted}.")
