"""Write a value as an override that Hydra reads back as that very value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([./-][A-Za-z0-9_]+)*")
_NO_STRING = re.compile(r"true|false|null|nan|inf", re.IGNORECASE)


def format_override(key: str, value: Any) -> str:
    """Return `key=value`. The key may begin with `+` or `++`."""
    return f"{key}={format_value(value)}"


def format_value(value: Any) -> str:
    """Write None, a truth value, a number, a string, or a list or mapping of such.

    A string is quoted unless it is a plain word. Raises `TypeError` for anything else.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _format_text(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{format_value(child)}" for key, child in value.items()) + "}"
    raise TypeError(f"an override cannot hold a {type(value).__name__}")


def _format_text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _NO_STRING.fullmatch(text):
        return text
    return QuotedString(text=text, quote=Quote.single).with_quotes()
