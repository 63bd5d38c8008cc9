"""What branches, tags and paths may be called, and how a ref expression is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from headrace.errors import InvalidName, RefNotFound

_BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
_TAG = re.compile(r"[^\s~^:?*\[\]\\@/{}\x00-\x1f\x7f-][^\s~^:?*\[\]\\@/{}\x00-\x1f\x7f]*")
_REF = re.compile(r"(?P<base>[^~^@]+)(?P<at>@?)(?P<steps>(?:[~^][0-9]*)*)")
_STEP = re.compile(r"([~^])([0-9]*)")
_HEX = re.compile(r"[0-9a-f]{1,64}")


class RefExpression(NamedTuple):
    """A ref taken apart. `bare` means no modifier at all: only then staged objects are seen."""

    base: str
    steps: tuple[tuple[str, int], ...]
    bare: bool


def parse_ref(ref: str) -> RefExpression:
    match = _REF.fullmatch(ref)
    if match is None:
        raise RefNotFound(
            f"{ref!r} is no ref: type a branch, a tag or a commit id, each with any number of ~N and ^N"
        )
    steps = tuple((kind, int(count or 1)) for kind, count in _STEP.findall(match["steps"]))
    return RefExpression(match["base"], steps, bare=not match["at"] and not steps)


def is_commit_prefix(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def check_branch_name(name: str) -> None:
    if not _BRANCH.fullmatch(name):
        raise InvalidName(
            f"branch name {name!r}: letters, digits, '_' and '-' only, not starting with '-'; "
            f"try {_cleaned(name)!r}"
        )


def check_tag_name(name: str) -> None:
    if not _TAG.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise InvalidName(
            f"tag name {name!r}: no spaces, none of / ~ ^ : ? * [ ] {{ }} @ \\, no '..', not starting "
            f"with '-' nor ending with '.'; try {_cleaned(name)!r}"
        )


def check_path(path: str) -> None:
    if not path or "\0" in path:
        raise InvalidName(f"object path {path!r} is empty or holds a NUL; try 'data/table.parquet'")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidName(f"object path {path!r} is not valid Unicode: rename the file") from error


def canonical(value: Any) -> str:
    """Encode for hashing: the same value gives the same text on every machine and version."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    found: dict[Any, Any] = dict(metadata or {})
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InvalidName(
                f"metadata {key!r}: {value!r} must be text to text; write {str(key)!r}: {str(value)!r}"
            )
    return found


def prefix_end(prefix: str) -> str | None:
    """Return the smallest text above everything that starts with `prefix`; None where there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)  # surrogates are no text
        prefix = prefix[:-1]
    return None


def _cleaned(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "my-branch"
