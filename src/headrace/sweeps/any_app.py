"""The launcher and the sweeper for Hydra apps that are not headrace's: jobs are their task function."""

from __future__ import annotations

import base64
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from headrace.adapters.workers_process import ProcessWorkers
from headrace.config.sweep_settings import load_launcher
from headrace.errors import ConfigError
from headrace.sweeps.places import jobs_side_by_side, share_gpus

log = logging.getLogger(__name__)


def launch(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Run the jobs of an app side by side, each as Hydra's own launcher would, and return them in order.

    A job that fails is in what is returned, as Hydra has it; a worker that dies is such a failure.
    """
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    settings = load_launcher(config)
    size = jobs_side_by_side(settings, len(job_overrides))
    log.info("Launching %d jobs, %d at a time", len(job_overrides), size)
    workers = ProcessWorkers(size, run_one, share_gpus(settings.gpus_per_job, size))
    configs = {}
    try:
        for number, overrides in enumerate(job_overrides, first):
            log.info("\t#%d : %s", number, " ".join(filter_overrides(list(overrides))))
            configs[number] = _config(context, config, overrides, number)
            payload = [context, task_function, configs[number], Singleton.get_state(), sys.path]
            workers.submit(number, {"pickle": _pack(payload)})
        found = {}
        for _ in job_overrides:
            done = workers.wait()
            assert done is not None
            found[done.number] = (
                _failed(configs[done.number], done.error) if done.error else _unpack(done.result)
            )
    except BaseException:
        workers.interrupt()
        raise
    finally:
        workers.close()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    return [found[number] for number in sorted(found)]


def sweep(
    context: HydraContext, task_function: TaskFunction, config: DictConfig, arguments: Sequence[str]
) -> list[Sequence[JobReturn]]:
    """Sweep an app over a grid, with the launcher that it has. Raises `ConfigError` for a search."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    node = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    assert isinstance(node, dict)
    if node.get("sampler") is not None:
        found = "only headrace's own flows can be searched: they log the metric that says what is good"
        raise ConfigError.one("hydra.sweeper.sampler", found, "leave it out, or use headrace's flows.train")
    grid = BasicSweeper(max_batch_size=None, params=node.get("params"))
    grid.setup(hydra_context=context, task_function=task_function, config=config)
    found_all: list[Sequence[JobReturn]] = grid.sweep(list(arguments))
    return found_all


def _config(context: HydraContext, config: DictConfig, overrides: Sequence[str], number: int) -> DictConfig:
    found = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(found):
        found.hydra.job.id = f"job_{number}"
        found.hydra.job.num = number
    return found


def run_one(payload: Mapping[str, Any]) -> str:
    """Run one job of an app, in a worker."""
    context, task_function, config, singletons, path = _unpack(payload["pickle"])
    sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
    setup_globals()
    Singleton.set_state(singletons)
    return _pack(
        run_job(
            hydra_context=context,
            task_function=task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    )


def _failed(config: DictConfig, error: BaseException) -> JobReturn:
    overrides = [str(word) for word in config.hydra.overrides.task]
    found = JobReturn(overrides=overrides, cfg=config, status=JobStatus.FAILED)
    found.return_value = error
    return found


def _pack(value: Any) -> str:
    import cloudpickle

    return base64.b64encode(cloudpickle.dumps(value)).decode()


def _unpack(text: str) -> Any:
    # Between this process and the ones that it started, over their own pipe: nothing else writes there.
    import pickle

    return pickle.loads(base64.b64decode(text))  # noqa: S301
