"""The search behind a sweep: built from the config's nodes, with its budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headrace.adapters.search_optuna import OptunaSearch
from headrace.config.override import format_override
from headrace.config.search import pruner_factory, sampler_factory
from headrace.config.sweep_settings import SweepSettings
from headrace.core.code import CodeIndex
from headrace.core.grid import grid_points
from headrace.core.ports import ParamValue, Search
from headrace.core.space import Choice, Domain, Space, same_value
from headrace.core.spec import TARGET
from headrace.errors import ConfigError

SAMPLER = "hydra.sweeper.sampler"
PRUNER = "hydra.sweeper.pruner"
BRUTE_FORCE = ".BruteForceSampler"  # a grid too: it ends by itself


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """A search, and how many trials it is to have; None: as many as time allows."""

    search: Search
    total: int | None


def open_search(settings: SweepSettings, space: Space, index: CodeIndex) -> OpenSearch:
    """Build the search that the config describes. Raises `ConfigError`."""
    sweeper = settings.sweeper
    if not space.domains:
        raise ConfigError.one(
            "hydra.sweeper.params",
            "there is nothing to search",
            "type: 'model.C=tag(log, interval(0.01, 100))', or name an experiment with a space",
        )
    sampler = sampler_factory(index, SAMPLER, sweeper.sampler)
    pruner = None if sweeper.pruner is None else pruner_factory(index, PRUNER, sweeper.pruner)
    is_grid = bool(sampler.needs) or sampler.node[TARGET].endswith(BRUTE_FORCE)
    if sweeper.n_trials is None and sweeper.minutes is None and not is_grid:
        hint = "type: hydra.sweeper.n_trials=50, or hydra.sweeper.minutes=30"
        raise ConfigError.one("hydra.sweeper.n_trials", "a search needs a budget", hint)
    search = OptunaSearch(
        space,
        list(settings.objective.values()),
        sampler=sampler,
        pruner=pruner,
        seed=settings.seed,
        n_trials=sweeper.n_trials,
    )
    points = sum(1 for _ in grid_points(space)) if is_grid else None
    known = [number for number in (points, sweeper.n_trials) if number is not None]
    return OpenSearch(search, min(known) if known else None)


def write_point(point: Mapping[str, ParamValue]) -> list[str]:
    """Return the overrides that set the params of a trial."""
    return [format_override(key, value) for key, value in point.items()]


def every_branch(space: Space) -> Iterator[dict[str, ParamValue]]:
    """Yield points, to check and plan: the first and last of every domain, and each value of a choice."""
    yield from _points(space, {})


def _points(space: Space, drawn: Mapping[str, ParamValue]) -> Iterator[dict[str, ParamValue]]:
    choices = [domain for domain in space.domains.values() if isinstance(domain, Choice)]
    for at in range(max([len(choice.values) for choice in choices] + [2])):
        point = {**drawn, **{key: _value(domain, at) for key, domain in space.domains.items()}}
        taken = [
            list(_points(inner, point))
            for (key, value), inner in space.when.items()
            if key in point and same_value(point[key], value)
        ]
        for n in range(max([len(branch) for branch in taken] + [1])):
            longer = dict(point)
            for branch in taken:
                longer |= branch[n % len(branch)]
            yield longer


def _value(domain: Domain, at: int) -> ParamValue:
    if isinstance(domain, Choice):
        return domain.values[at % len(domain.values)]
    number = domain.high if at % 2 else domain.low
    return int(number) if domain.integer else number
