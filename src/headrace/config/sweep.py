"""The jobs of a sweep: their overrides, and their configs at little more than the price of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from headrace.config.compose import COMPOSE_ERRORS, complete, compose, open_conf
from headrace.config.override import format_override
from headrace.config.space import parse_space
from headrace.core.grid import grid_points
from headrace.errors import ConfigError, Problem

Words = list[str]


def split_sweep(overrides: Sequence[str]) -> list[Words]:
    """Return the overrides of each job, in the order in which Hydra's own sweeper has them.

    Raises `ConfigError` with every problem of the overrides.
    """
    try:
        with open_conf() as loader:  # it knows the options of `model=glob(*)`
            parsed = OverridesParser.create(loader).parse_overrides(overrides=complete(overrides))
            if open_ended := [override for override in parsed if override.is_interval_sweep()]:
                raise ConfigError(list(map(_not_listed, open_ended)))
            batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except COMPOSE_ERRORS as error:
        from headrace.config.explain import find_problems

        raise ConfigError(find_problems("train", overrides, error)) from error
    return [list(job) for batch in batches for job in batch]


def _not_listed(override: Override) -> Problem:
    key = override.get_key_element()
    hint = f"to search it, type: +sweep=tpe; for a grid: {key}=<value>,<value>"
    return Problem(key.lstrip("+"), f"a grid cannot list every number of {override.get_value_string()}", hint)


def list_jobs(params: Mapping[str, Any], words: Sequence[str]) -> list[Words]:
    """Return the overrides of each job of a grid over the command line and `hydra.sweeper.params`.

    Of one key the command line's word counts. Raises `ConfigError` with every problem.
    """
    if any(isinstance(value, Mapping) for value in params.values()):
        space, fixed = parse_space(params, words)
        points = grid_points(space)
        return [[*fixed, *(format_override(key, value) for key, value in p.items())] for p in points]
    typed = {word.partition("=")[0].lstrip("+") for word in words}
    from_params = [f"{key}={value}" for key, value in params.items() if key.lstrip("+") not in typed]
    return split_sweep([*from_params, *words])


def compose_jobs(config_name: str, jobs: Sequence[Words]) -> Iterator[tuple[Words, DictConfig]]:
    """Yield each job's overrides and config, which is good until the next one is asked for."""
    configs = JobConfigs(config_name)
    for job in jobs:
        yield job, configs.compose(job)


class JobConfigs:
    """Composes one job after the other.

    Hydra takes 0.1 s to compose. Jobs that differ in values only, and in no choice of a group, share
    one composition, into which each writes its values over those of the job before.
    """

    def __init__(self, config_name: str) -> None:
        self._config_name = config_name
        self._bases: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[DictConfig, HydraConf | None]] = {}
        self._parsed: dict[str, Override | None] = {}  # None: not only a value
        self._groups: dict[str, bool] = {}  # by key: is it a config group

    def compose(self, job: Words) -> DictConfig:
        """Return a job's config, good until the next one is asked for; `HydraConfig` is the job's too.

        Raises `ConfigError` with every problem of the overrides.
        """
        self._parse([word for word in job if word not in self._parsed])
        values = {word: found for word in job if (found := self._parsed[word]) is not None}
        others = tuple(word for word in job if word not in values)
        # A job that does not set what the job before did must not find its value.
        keys = tuple(sorted(override.key_or_group for override in values.values()))
        if (others, keys) not in self._bases:
            cfg = compose(self._config_name, job)
            self._bases[others, keys] = cfg, HydraConfig.instance().cfg
            return cfg
        cfg, hydra_cfg = self._bases[others, keys]
        HydraConfig.instance().cfg = hydra_cfg
        try:
            for override in values.values():
                _write(cfg, override)
        except COMPOSE_ERRORS:
            del self._bases[others, keys]  # it holds a part of what is wrong
            return compose(self._config_name, job)  # which says what is wrong
        return cfg

    def _parse(self, words: Words) -> None:
        """Find out which overrides only set a value; Hydra is to decide on the others."""
        if not words:
            return
        parser = OverridesParser.create()
        with open_conf() as loader:
            for word in words:
                override = self._parsed[word] = _parse_or_none(parser, word)
                if override is None:
                    continue
                key = override.key_or_group
                if key not in self._groups:
                    self._groups[key] = bool(loader.get_group_options(key))
                plain = override.type in (OverrideType.CHANGE, OverrideType.FORCE_ADD)
                of_hydra = key.startswith("hydra.")
                # A mapping would be merged into that of the job before.
                if not plain or self._groups[key] or override.package or of_hydra or _is_nested(override):
                    self._parsed[word] = None


def _parse_or_none(parser: OverridesParser, word: str) -> Override | None:
    try:
        return parser.parse_override(complete([word])[0])
    except COMPOSE_ERRORS:
        return None  # composing says what is wrong


def _is_nested(override: Override) -> bool:
    return isinstance(override.value(), dict)


def _write(cfg: DictConfig, override: Override) -> None:
    new = override.type is OverrideType.FORCE_ADD
    OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True, force_add=new)
