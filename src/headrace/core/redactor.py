"""Keep secrets out of texts that nobody wrote on purpose, such as the message of an exception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headrace.core.secrets import REDACTED, redact_text

_SHORTEST = 4  # replacing "a" or "42" everywhere would hide the message and no secret


class Redactor:
    """Replaces every value that differs between a real tree and its public copy, wherever it shows."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        values = {text for real, public in pairs for text in _hidden(real, public)}
        self._values = sorted((v for v in values if len(v) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, REDACTED)
        return redact_text(text)


def _hidden(real: Any, public: Any) -> Iterator[str]:
    if isinstance(real, Mapping):
        known = public if isinstance(public, Mapping) else {}
        for name, child in real.items():
            yield from _hidden(child, known.get(name, REDACTED))
    elif isinstance(real, list | tuple):
        same = isinstance(public, list | tuple) and len(public) == len(real)
        for i, child in enumerate(real):
            yield from _hidden(child, public[i] if same else REDACTED)
    elif real is not None and not isinstance(real, bool) and real != public:
        yield str(real)
