"""A space in Optuna's terms: names, labels of choices, and distributions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.grid import is_open, nearest_step, step_count, step_value
from headrace.core.space import Choice, Domain, Interval, Space, same_value

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | float | bool | None
Path = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One domain at one place of the space.

    `name` is the key, followed by the conditions where the key has another domain under others:
    Optuna wants one domain a name. `labels` stand for the values of a choice: the values
    themselves, or their JSON where Optuna would take two of them for one, as it does 1 and true.
    """

    key: str
    name: str
    domain: Domain
    labels: tuple[Value, ...] = ()

    def label(self, value: Value) -> Value:
        if isinstance(self.domain, Interval):
            return value
        own = next(n for n, other in enumerate(self.domain.values) if same_value(other, value))
        return self.labels[own]

    def suggest(self, trial: Trial) -> Value:
        """Draw a value, in the domain's own type."""
        domain = self.domain
        if isinstance(domain, Choice):
            label = trial.suggest_categorical(self.name, self.labels)
            return domain.values[self.labels.index(label)]
        step = None if domain.log else domain.step
        high = domain.high if is_open(domain) or domain.log else step_value(domain, step_count(domain) - 1)
        if domain.integer:
            ends = int(domain.low), int(high)
            return trial.suggest_int(self.name, *ends, step=int(step or 1), log=domain.log)
        number = trial.suggest_float(self.name, domain.low, high, step=step, log=domain.log)
        return float(number if step is None else nearest_step(domain, number))


@dataclass(frozen=True, slots=True)
class Params:
    """The params of a space, in the order in which they are drawn."""

    params: tuple[Param, ...]
    when: tuple[tuple[str, Value, Params], ...]

    def walk(self, choose: Callable[[Param], Value]) -> dict[str, Value]:
        """Call `choose` on each param that is drawn, given what it chose before."""
        return self._walk(choose, {})

    def _walk(self, choose: Callable[[Param], Value], drawn: Mapping[str, Value]) -> dict[str, Value]:
        point = dict(drawn)
        for param in self.params:
            point[param.key] = choose(param)
        for key, value, inner in self.when:
            if key in point and same_value(point[key], value):
                point = inner._walk(choose, point)
        return point

    def labels(self, point: Mapping[str, Value]) -> dict[str, Value]:
        """Return a point as Optuna has it: labels by name."""
        found: dict[str, Value] = {}

        def note(param: Param) -> Value:
            found[param.name] = param.label(point[param.key])
            return point[param.key]

        self.walk(note)
        return found


def read_params(space: Space) -> Params:
    """Name every domain of a space."""
    places = list(_places(space, ()))
    several = {key for key, domain in places if any(key == k and domain != d for k, d in places)}
    return _read(space, (), several)


def _places(space: Space, path: Path) -> Iterator[tuple[str, Domain]]:
    yield from space.domains.items()
    for condition, inner in space.when.items():
        yield from _places(inner, (*path, condition))


def _read(space: Space, path: Path, several: set[str]) -> Params:
    conditions = ", ".join(f"{key}={value}" for key, value in path)
    return Params(
        params=tuple(
            Param(
                key=key,
                name=f"{key} [{conditions}]" if key in several and path else key,
                domain=domain,
                labels=_labels(domain.values) if isinstance(domain, Choice) else (),
            )
            for key, domain in space.domains.items()
        ),
        when=tuple(
            (key, value, _read(inner, (*path, (key, value)), several))
            for (key, value), inner in space.when.items()
        ),
    )


def _labels(values: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(values) if len(set(values)) == len(values) else tuple(map(json.dumps, values))
