"""The jobs of a sweep: their overrides, and their configs at little more than the price of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from headrace.config.compose import COMPOSE_ERRORS, VERSION_BASE, complete, compose
from headrace.config.folders import project_conf
from headrace.errors import ConfigError

Words = list[str]


def split_sweep(overrides: Sequence[str]) -> list[Words]:
    """Return the overrides of each job, in the order in which Hydra's own sweeper has them.

    Raises `ConfigError` with every problem of the overrides.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(overrides=complete(overrides))
        batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except COMPOSE_ERRORS as error:
        from headrace.config.explain import find_problems

        raise ConfigError(find_problems("train", overrides, error)) from error
    return [list(job) for batch in batches for job in batch]


def compose_jobs(config_name: str, jobs: Sequence[Words]) -> Iterator[tuple[Words, DictConfig]]:
    """Yield each job's overrides and config, which is good until the next one is asked for.

    Hydra takes 0.1 s to compose. Jobs that differ in values only, and in no choice of a group, share
    one composition, into which each writes its values over those of the job before.
    """
    bases: dict[tuple[str, ...], DictConfig] = {}
    fixed = set(jobs[0]).intersection(*map(set, jobs[1:])) if jobs else set()
    values = _values({word for job in jobs for word in job} - fixed)
    for job in jobs:
        others = tuple(word for word in job if word not in values)
        if others not in bases:
            bases[others] = compose(config_name, others)
        try:
            for word in job:
                if word in values:
                    _write(bases[others], values[word])
            cfg = bases[others]
        except COMPOSE_ERRORS:
            cfg = compose(config_name, job)  # which says what is wrong
        yield job, cfg


def _values(words: Iterable[str]) -> dict[str, Override]:
    """Return the overrides that only set a value; Hydra is to decide on the others."""
    parser = OverridesParser.create()
    found: dict[str, Override] = {}
    groups: dict[str, bool] = {}
    with hydra.initialize_config_dir(version_base=VERSION_BASE, config_dir=str(project_conf())):
        loader = GlobalHydra.instance().config_loader()
        for word in words:
            override = parser.parse_override(complete([word])[0])
            key = override.key_or_group
            if key not in groups:
                groups[key] = bool(loader.get_group_options(key))
            plain = override.type in (OverrideType.CHANGE, OverrideType.FORCE_ADD)
            # A mapping would be merged into that of the job before.
            if plain and not groups[key] and override.package is None and not _is_nested(override):
                found[word] = override
    return found


def _is_nested(override: Override) -> bool:
    return isinstance(override.value(), dict)


def _write(cfg: DictConfig, override: Override) -> None:
    new = override.type is OverrideType.FORCE_ADD
    OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True, force_add=new)
