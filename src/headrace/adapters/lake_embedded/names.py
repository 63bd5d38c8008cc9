"""How a ref expression is read, and how values and prefixes are ordered."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from headrace.errors import RefNotFound

_REF = re.compile(r"(?P<base>[^~^@]+)(?:(?P<at>@)|(?P<steps>(?:[~^][0-9]*)*))")
_STEP = re.compile(r"([~^])([0-9]*)")
_HEX = re.compile(r"[0-9a-f]{1,64}")


class RefExpression(NamedTuple):
    """A ref taken apart. `bare` means no modifier at all: only then staged objects are seen."""

    base: str
    steps: tuple[tuple[str, int], ...]
    bare: bool
    committed: bool  # `branch@`


def parse_ref(ref: str) -> RefExpression:
    match = _REF.fullmatch(ref)
    if match is None:
        raise RefNotFound(
            f"{ref!r} is no ref: type a branch, a tag or a commit id, each with any number of ~N and ^N"
        )
    steps = tuple((kind, int(count or 1)) for kind, count in _STEP.findall(match["steps"] or ""))
    committed = bool(match["at"])
    return RefExpression(match["base"], steps, bare=not committed and not steps, committed=committed)


def is_commit_prefix(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def canonical(value: Any) -> str:
    """Encode for hashing: the same value gives the same text on every machine and version."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def prefix_end(prefix: str) -> str | None:
    """Return the smallest text above everything that starts with `prefix`; None where there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)  # surrogates are no text
        prefix = prefix[:-1]
    return None
