"""A space as a grid: every point that it has, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product

from headrace.core.space import Domain, Interval, Space, same_value
from headrace.errors import ConfigError, Problem

Value = str | float | bool | None
Branch = tuple[tuple[str, Value], Space]


def grid_points(space: Space) -> Iterator[dict[str, Value]]:
    """Yield each point in the order of the domains, the last one changing fastest.

    Raises `ConfigError` at once, with every interval that has no step.
    """
    problems = list(_open_intervals(space))
    if problems:
        raise ConfigError(problems)
    return _points(space, {})


def grid_values(domain: Domain) -> Sequence[Value]:
    """Return the values of a choice, or of an interval of whole numbers or with a step."""
    if isinstance(domain, Interval):
        return [step_value(domain, n) for n in range(step_count(domain))]
    return list(domain.values)


def is_open(domain: Domain) -> bool:
    """Tell whether a domain has more values than can be listed."""
    return isinstance(domain, Interval) and not domain.integer and domain.step is None


def step_value(domain: Interval, n: int) -> float:
    """Return `low + n * step` as a person would reckon it: 3 steps of 0.1 are 0.3."""
    value = _exact(domain.low) + n * _exact(domain.step or 1)
    return int(value) if domain.integer else float(value)


def step_count(domain: Interval) -> int:
    """Return how many values an interval has that is not open."""
    return int((_exact(domain.high) - _exact(domain.low)) // _exact(domain.step or 1)) + 1


def nearest_step(domain: Interval, value: float) -> float:
    """Return the value of the interval that is nearest to some number."""
    n = round((_exact(value) - _exact(domain.low)) / _exact(domain.step or 1))
    return step_value(domain, min(max(n, 0), step_count(domain) - 1))


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def _points(space: Space, drawn: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    columns = [grid_values(domain) for domain in space.domains.values()]
    for values in product(*columns):
        point = {**drawn, **dict(zip(space.domains, values, strict=True))}
        yield from _with_branches(list(space.when.items()), point)


def _with_branches(branches: Sequence[Branch], point: dict[str, Value]) -> Iterator[dict[str, Value]]:
    if not branches:
        yield point
        return
    ((key, value), inner), rest = branches[0], branches[1:]
    taken = key in point and same_value(point[key], value)
    for longer in _points(inner, point) if taken else (point,):
        yield from _with_branches(rest, longer)


def _open_intervals(space: Space) -> Iterator[Problem]:
    for key, domain in space.domains.items():
        if isinstance(domain, Interval) and is_open(domain):
            found = f"a grid cannot list every number from {domain.low} to {domain.high}"
            hint = f"to search it: +sweep=tpe; for a grid: {key}=range({domain.low},{domain.high},<step>)"
            yield Problem(key, found, hint)
    for inner in space.when.values():
        yield from _open_intervals(inner)
