"""What must stay out of records, keys, trackers and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "<redacted>"

_SECRET_NAME = re.compile(
    r"((^|[._-])(token|credentials?|auth|authorization|pw|(api|access|private|secret)[_-]?key"
    r"|access[_-]?key[_-]?id)"
    r"|passwd|password|passphrase|pwd|(db|pg)pw)$"
    r"|(^|[._-])secret([._-]|$)",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARAMETER = re.compile(r"(?<=[?&])([\w.-]+)=([^&#\s'\"]+)")
_BEARER = re.compile(r"\b(Bearer)(\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
# `name: value` inside an override such as `vars={api_key: x}`.
_PAIR = re.compile(r"""([\w.-]+)(\s*:\s*)("[^"]*"|'[^']*'|\{[^{}]*\}|\[[^][]*\]|[^][,{}]+)""")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")


def is_secret(name: str) -> bool:
    """Tell whether a name ends in a word for a secret: `PGPASSWORD`, `WANDB_API_KEY`, not `tokenizer`.

    `secret` counts as a word anywhere: `client_secret_value`. Words may be told apart by humps too:
    `secretAccessKey`. The id of an access key is treated as its secret is.
    """
    return _SECRET_NAME.search(_HUMP.sub("_", name)) is not None


def redact_text(text: str) -> str:
    """Replace in a text what authorises: user and password of a URL, its parameters, bearer tokens."""
    text = _USER_INFO.sub(REDACTED, text)
    text = _PARAMETER.sub(_redact_parameter, text)
    return _BEARER.sub(rf"\1\2{REDACTED}", text)


def _redact_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={REDACTED}" if is_secret(found[1]) else found[0]


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
    """Redact the values of overrides (`a.password=x`, `a={password: x}`) with names that say secret."""
    redacted = []
    for override in overrides:
        name, equals, _ = override.partition("=")
        hide = equals and is_secret(name.lstrip("+~"))
        redacted.append(f"{name}={REDACTED}" if hide else redact_text(_PAIR.sub(_redact_pair, override)))
    return redacted


def _redact_pair(pair: re.Match[str]) -> str:
    value = REDACTED if is_secret(pair[1]) else _PAIR.sub(_redact_pair, pair[3])
    return f"{pair[1]}{pair[2]}{value}"
