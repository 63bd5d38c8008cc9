"""What branches, tags, paths and metadata of a lake may be: lakeFS's rules, which every lake keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from headrace.errors import InvalidName

LONGEST_PATH_BYTES = 1024  # as object storages have it

_BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
_TAG = re.compile(r"[^\s~^:?*\[\]\\@/{}\x00-\x1f\x7f-][^\s~^:?*\[\]\\@/{}\x00-\x1f\x7f]*")


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
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise InvalidName(f"object path {path!r} is not valid Unicode: rename the file") from error
    if size > LONGEST_PATH_BYTES:
        shown = f"{path[:60]}…"
        raise InvalidName(f"object path {shown!r} has {size} bytes, above {LONGEST_PATH_BYTES}: shorten it")


def check_message(message: str) -> None:
    if not message.strip():
        raise InvalidName("a commit wants a message: say what it is for")


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    found: dict[Any, Any] = dict(metadata or {})
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InvalidName(
                f"metadata {key!r}: {value!r} must be text to text; write {str(key)!r}: {str(value)!r}"
            )
    return found


def _cleaned(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "my-branch"
