"""What must stay out of records, keys, trackers and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "<redacted>"

_SECRET_NAME = re.compile(
    r"(^|[._-])(password|passwd|passphrase|secret|token|credentials?|authorization"
    r"|(api|access|private|secret)[_-]?key)$",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")


def is_secret(name: str) -> bool:
    """Tell whether a name ends in a word for a secret: `db.password`, `WANDB_API_KEY`, not `tokenizer`."""
    return _SECRET_NAME.search(name) is not None


def redact_text(text: str) -> str:
    """Replace the user and password of every URL in a text."""
    return _USER_INFO.sub("<redacted>", text)


def without_secrets(value: Any) -> Any:
    """Copy a tree with the values of secret-named keys, and credentials inside URLs, replaced."""
    if isinstance(value, Mapping):
        return {
            name: REDACTED if is_secret(str(name)) and child is not None else without_secrets(child)
            for name, child in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_overrides(overrides: Iterable[str]) -> list[str]:
    """Redact the values of overrides (`a.password=x`) whose names say that they are secret."""
    redacted = []
    for override in overrides:
        name, equals, _ = override.partition("=")
        hide = equals and is_secret(name.lstrip("+~"))
        redacted.append(f"{name}={REDACTED}" if hide else redact_text(override))
    return redacted
