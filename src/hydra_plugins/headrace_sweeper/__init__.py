"""Hydra's sweeper plugin: a grid, or a search with Optuna."""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from headrace.config.sweep_settings import SweeperNode

ConfigStore.instance().store(group="hydra/sweeper", name="headrace", node=SweeperNode, provider="headrace")


class HeadraceSweeper(Sweeper):
    """Hands a sweep of headrace's own flows over as a whole, and sweeps any other Hydra app itself."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Run every job that the arguments and the config ask for."""
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        start = getattr(self.task_function, "headrace_sweep", None)
        if start is not None and _is_ours(self.config.hydra.launcher):
            return start(self.config, arguments)
        from headrace.sweeps.any_app import sweep

        return sweep(self.hydra_context, self.task_function, self.config, arguments)


def _is_ours(launcher: DictConfig) -> bool:
    return str(launcher._target_).startswith("hydra_plugins.headrace_launcher.")
