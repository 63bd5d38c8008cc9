"""What changed between two states of a module, by the digests of what it defines."""

from __future__ import annotations

from collections.abc import Mapping


def explain(old: Mapping[str, str] | None, new: Mapping[str, str]) -> str:
    """Name what differs, such as `function fit, abc123 → def456`; '' where the old is not known."""
    if old is None:
        return ""
    return ", ".join(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
