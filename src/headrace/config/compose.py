"""Compose a config with Hydra, and name everything that keeps it from composing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from headrace.config.folders import project_conf
from headrace.config.schema import StageNode
from headrace.errors import ConfigError

CANNOT_COMPOSE = (HydraException, OmegaConfBaseException)
# While Hydra composes, a bare ValueError means that a group was given what is no option, such as null.
COMPOSE_ERRORS = (*CANNOT_COMPOSE, ValueError, YAMLError)
VERSION_BASE = "1.3"
# Groups in which a config may choose nothing.
_NOTHING = {f"{group}={null}": f"~{group}" for group in ("dataset", "schema") for null in ("null", "")}
STAGE_KEYS = tuple(field.name for field in fields(StageNode))


def compose(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """Compose a config. Raises `ConfigError` with every problem of the overrides."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(version_base=VERSION_BASE, config_dir=str(project_conf())):
        try:
            cfg = hydra.compose(config_name, overrides=complete(overrides), return_hydra_config=True)
        except COMPOSE_ERRORS as error:
            from headrace.config.explain import find_problems

            raise ConfigError(find_problems(config_name, overrides, error)) from error
        HydraConfig.instance().set_config(cfg)
        OmegaConf.set_struct(cfg, False)
        del cfg["hydra"]
        OmegaConf.set_struct(cfg, True)
        require_experiment(cfg, config_name)
    return cfg


def complete(overrides: Sequence[str]) -> list[str]:
    """Let `stages.train.retries=2` work where the stage's YAML does not name the key.

    And `schema=null` choose nothing, as the default does, for which Hydra wants `~schema`.
    """

    def is_stage_key(override: str) -> bool:
        parts = override.partition("=")[0].split(".")
        return len(parts) == 3 and parts[0] == "stages" and parts[2] in STAGE_KEYS

    return [
        f"++{override}" if is_stage_key(override) else _NOTHING.get(override, override)
        for override in overrides
    ]


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
