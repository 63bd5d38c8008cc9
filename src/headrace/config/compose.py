"""Compose a config with Hydra, and name everything that keeps it from composing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from headrace.config.folders import project_conf
from headrace.config.schema import StageNode
from headrace.core.choice import Options
from headrace.errors import ConfigError

CANNOT_COMPOSE = (HydraException, OmegaConfBaseException)
# While Hydra composes, a bare ValueError means that a group was given what is no option, such as null.
COMPOSE_ERRORS = (*CANNOT_COMPOSE, ValueError, YAMLError)
VERSION_BASE = "1.3"
# Groups in which a config may choose nothing.
_NOTHING = {f"{group}={null}": f"~{group}" for group in ("dataset", "schema") for null in ("null", "")}
_AT = re.compile(r"\+{0,2}dataset\.at=(.+)")
_ITEM = re.compile(r"""'[^']*'|"[^"]*"|(?:\$\{[^}]*\}|[^,])+""")
# Hydra's own: lists, what is missing, and functions of its grammar.
_NO_TEXT = re.compile(r"[\[{]|\?\?\?$|(choice|range|interval|glob|shuffle|sort|tag|str)\(")
# What a command may ask beside its experiment, also of a config that does not name the key.
OPTIONS = tuple(field.name for field in fields(Options))
STAGE_KEYS = tuple(field.name for field in fields(StageNode))


def compose(
    config_name: str,
    overrides: Sequence[str],
    *,
    for_experiment: bool = True,
    leave_out: Sequence[str] = (),
) -> DictConfig:
    """Compose a config. Raises `ConfigError` with every problem of the overrides.

    Args:
        config_name: The primary config.
        overrides: What the command line says.
        for_experiment: Whether one must be chosen; not for what a project has without, such as its lake.
        leave_out: Groups that the caller does not need, which saves their time where the config has them.
    """
    with open_conf():
        try:
            cfg = _compose(config_name, complete(overrides), leave_out)
        except COMPOSE_ERRORS as error:
            from headrace.config.explain import find_problems

            raise ConfigError(find_problems(config_name, overrides, error)) from error
        HydraConfig.instance().set_config(cfg)
        OmegaConf.set_struct(cfg, False)
        del cfg["hydra"]
        OmegaConf.set_struct(cfg, True)
        if for_experiment:
            require_experiment(cfg, config_name)
    return cfg


@contextmanager
def open_conf() -> Iterator[ConfigLoader]:
    """Let Hydra know where the project's config is, and give what loads from there."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(version_base=VERSION_BASE, config_dir=str(project_conf())):
        yield GlobalHydra.instance().config_loader()


def _compose(config_name: str, words: Sequence[str], leave_out: Sequence[str]) -> DictConfig:
    if leave_out:
        try:
            return _compose(config_name, [*words, *(f"~{group}" for group in leave_out)], ())
        except COMPOSE_ERRORS:
            pass  # there is no such group, or an override names it
    return hydra.compose(config_name, overrides=list(words), return_hydra_config=True)


def complete(overrides: Sequence[str]) -> list[str]:
    """Let `stages.train.retries=2` and `force=train` work where the YAML does not name the key.

    And `schema=null` choose nothing, as the default does, for which Hydra wants `~schema`; and
    `dataset.at=~3` mean this text, which Hydra does not parse.
    """

    def may_be_new(override: str) -> bool:
        key = override.partition("=")[0]
        parts = key.split(".")
        return key in OPTIONS or (len(parts) == 3 and parts[0] == "stages" and parts[2] in STAGE_KEYS)

    return [
        f"++{override}" if may_be_new(override) else _NOTHING.get(override, _quote_at(override))
        for override in overrides
    ]


def _quote_at(override: str) -> str:
    """Quote what `dataset.at` is given, each value of a sweep; also let a dataset not name the key.

    Hydra would refuse `~3` and `main^2`, and make numbers of the commits 1234567 and 12e5.
    """
    found = _AT.fullmatch(override)
    if found is None or _NO_TEXT.match(found[1]):
        return override

    def quote(item: str) -> str:
        item = item.strip()
        if item.lower() == "null" or item[:1] in ("'", '"'):
            return item
        return f'"{item}"' if "'" in item else f"'{item}'"

    return "++dataset.at=" + ",".join(map(quote, _ITEM.findall(found[1])))


def require_experiment(cfg: DictConfig, config_name: str) -> None:
    """Raise `ConfigError` with the experiments that exist where the config names none."""
    if OmegaConf.is_missing(cfg, "name"):
        names = group_options("experiment")
        command = f"python -m flows.{config_name} +experiment={(names or ['<name>'])[0]}"
        shown = ", ".join(names) or "none; write conf/experiment/<name>.yaml"
        raise ConfigError.one("", f"no experiment is chosen; there are: {shown}", f"type: {command}")


def group_options(group: str) -> list[str]:
    """Return the options of a config group; [] where there is no such group."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group)) if group else []
