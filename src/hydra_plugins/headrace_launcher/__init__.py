"""Hydra's launcher plugin: jobs in processes that are kept, instead of one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from headrace.config.sweep_settings import LauncherNode

ConfigStore.instance().store(group="hydra/launcher", name="headrace", node=LauncherNode, provider="headrace")


class HeadraceLauncher(Launcher):
    """Runs the jobs of any Hydra app; those of headrace's own flows as a sweep that is planned."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs side by side and return what came of each, in their order."""
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        from headrace.sweeps.any_app import launch

        return launch(self.hydra_context, self.task_function, self.config, job_overrides, initial_job_idx)
