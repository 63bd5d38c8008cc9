"""What the words on a command line may be: counts, spans of time, and the parsers that take them."""

from __future__ import annotations

import argparse
import re
from typing import TypeAlias

from headrace.commands.parser import Parser

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What `add_subparsers` gives; argparse has no public name for it."""

_SPAN = re.compile(r"([0-9]+)([hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}


def count(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero; write 20")
    return int(text)


def span(text: str) -> int:
    """Read a span of time such as `12h`, `14d` or `8w`; returns seconds."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time; write 12h, 14d or 8w")
    return int(found[1]) * _SECONDS[found[2]]
