"""What may begin a commit's id, and how values and prefixes are ordered."""

from __future__ import annotations

import json
import re
from typing import Any

_HEX = re.compile(r"[0-9a-f]{1,64}")


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
