"""What lakeFS takes for a name."""

from __future__ import annotations

import re

from headrace.testing.lakefs.refusal import Refusal, invalid

REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
NAMESPACE = re.compile(r"(s3|gs|https?|mem|local|transient)://.+")
MAX_PATH_BYTES = 1024


def check_repository(name: str) -> None:
    if not REPOSITORY.fullmatch(name):
        raise invalid("repository")


def check_branch(name: str) -> None:
    if not BRANCH.fullmatch(name):
        raise invalid("branch")


def check_tag(name: str) -> None:
    """Hold a tag to git's rules for refs, of which lakeFS lifts the one on `~`."""
    bad_end = name.endswith((".", ".lock", "/"))
    bad_part = any(part in name for part in ("..", "//", "@{", "^", ":", "?", "*", "[", "\\"))
    if not name or name == "@" or bad_end or bad_part or any(ord(letter) <= 32 for letter in name):
        raise invalid("tagID")


def check_path(path: str) -> None:
    if not path:
        raise Refusal(400, "argument path: missing path: required value: validation error")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise Refusal(400, f"argument path: invalid value: above maximum length ({MAX_PATH_BYTES})")
