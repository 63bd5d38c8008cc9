"""What a search may choose from, one entry a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some values: numbers, strings, truth values, None, or an option of a config group."""

    values: Sequence[str | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number from `low` to `high`, both included.

    With `step` a number of the form `low + k * step`; `log` draws its logarithm evenly.
    """

    low: float
    high: float
    integer: bool = False
    log: bool = False
    step: float | None = None


Domain = Choice | Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Domains by the key that an override sets, in the order in which they are drawn.

    `when` adds to that: `{("model", "random_forest"): Space(...)}` is drawn too where `model` came out
    as `random_forest`.
    """

    domains: Mapping[str, Domain]
    when: Mapping[tuple[str, str | float | bool | None], Space] = field(default_factory=dict)


def same_value(left: object, right: object) -> bool:
    """Tell whether two values are one and the same to a space, where 1, 1.0 and true are three."""
    return type(left) is type(right) and left == right
