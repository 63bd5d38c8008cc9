"""Why a key is another one than before: what differs between its parts, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.core.digest import encode

Explain = Callable[[str, Any, Any], str]
"""Takes a name and what was known of it before and now; says more, or ''."""

SHOWN_AT_MOST = 3
LONGEST_VALUE = 40


def _nothing(name: str, before: Any, now: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """What can be said beyond digests: `code` of a module, `source` of an external input by argument."""

    code: Explain = _nothing
    source: Mapping[str, str] = field(default_factory=dict)


def explain_difference(
    now: Mapping[str, Any], before: Mapping[str, Any], insight: Insight = Insight()
) -> list[str]:
    """Return everything that differs between the parts of two keys, what a person changes first."""
    found: list[str] = []
    for part in ("call", "params", "inputs", "code", "packages", "seed", "returns", "format"):
        found += _PARTS.get(part, _values)(part, before.get(part), now.get(part), insight)
    return found


def shorten(reasons: Sequence[str]) -> str:
    """Say the first few reasons in one line."""
    more = len(reasons) - SHOWN_AT_MOST
    return "; ".join(reasons[:SHOWN_AT_MOST]) + (f"; and {more} more" if more > 0 else "")


def _values(path: str, before: Any, now: Any, insight: Insight) -> Iterator[str]:
    if _same(before, now):
        return
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}, key=str):
            yield from _values(f"{path}.{name}", before.get(name), now.get(name), insight)
    else:
        yield f"{path} {_short(before)} → {_short(now)}"


def _inputs(path: str, before: Any, now: Any, insight: Insight) -> Iterator[str]:
    for name in _changed(before, now):
        yield insight.source.get(name) or f"input {name} changed"


def _code(path: str, before: Any, now: Any, insight: Insight) -> Iterator[str]:
    for name in _changed(before, now):
        old, new = (before or {}).get(name), (now or {}).get(name)
        if old is None or new is None:
            yield f"code of {name} is {'reached now' if old is None else 'no longer reached'}"
            continue
        more = insight.code(name, old, new)
        yield f"code of {name} changed" + (f" ({more})" if more else "")


def _packages(path: str, before: Any, now: Any, insight: Insight) -> Iterator[str]:
    for name in _changed(before, now):
        yield f"{name} {_short((before or {}).get(name))} → {_short((now or {}).get(name))}"


_PARTS: Mapping[str, Callable[[str, Any, Any, Insight], Iterator[str]]] = {
    "inputs": _inputs,
    "code": _code,
    "packages": _packages,
}


def _changed(before: Any, now: Any) -> list[str]:
    old, new = before or {}, now or {}
    return [name for name in sorted({*old, *new}) if not _same(old.get(name), new.get(name))]


def _same(before: Any, now: Any) -> bool:
    return encode(before) == encode(now)  # 1 == 1.0 to Python, and not to a key


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "…"
