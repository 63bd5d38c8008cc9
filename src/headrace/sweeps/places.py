"""Where the jobs of a sweep run, and the Prefect flow run that they hang on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from headrace.adapters.report_channel import ReportListener
from headrace.config.schema import CLUSTERS
from headrace.config.sweep_settings import LauncherNode, SweepSettings
from headrace.core.ports import LakeStore, Workers
from headrace.core.sweep import SweepRecord
from headrace.errors import ConfigError, Problem
from headrace.job import Job
from headrace.sweeps.lake_place import is_of_one_machine
from headrace.sweeps.sources import Source

WORKERS_AT_MOST = 8  # where nobody says how many

Call = Callable[[Mapping[str, Any]], Any]


@contextmanager
def open_reports(settings: SweepSettings, source: Source) -> Iterator[Mapping[str, Any] | None]:
    """Give the address that jobs report their interim scores to; None where nobody wants to know."""
    if settings.sweeper.pruner is None:
        yield None
        return
    host = settings.launcher.host
    try:
        listener = ReportListener(source.judge, host)
    except OSError as error:
        found = f"nobody can listen at {host} here ({error})"
        raise ConfigError.one("hydra.launcher.host", found, "name this machine, or leave it out") from error
    try:
        address = listener.address()
        reached = ip_address(address["host"])
        if reached.is_unspecified or (reached.is_loopback and not is_here(host)):
            # As Debian has it of a machine's own name: no other one would ever get through.
            found = f"'{host}' is {reached} here, which means itself to every machine"
            hint = "type: hydra.launcher.host=<an address of this machine that others can reach>"
            raise ConfigError.one("hydra.launcher.host", found, hint)
        yield address
    finally:
        listener.close()


@contextmanager
def start_processes(
    settings: SweepSettings, total: int | None, call: Call, warm_up: Callable[[], object]
) -> Iterator[Workers | None]:
    """Start workers on this machine, which warm up meanwhile; None where they are to be elsewhere."""
    if settings.launcher.mode == "deployment" or settings.runtime.kind in CLUSTERS:
        yield None
        return
    from headrace.adapters.workers_process import ProcessWorkers

    size = jobs_side_by_side(settings.launcher, total)
    gpus = share_gpus(settings.launcher.gpus_per_job, size)
    workers = ProcessWorkers(size, call, gpus, warm_up if total != 0 else None)
    try:
        yield workers
    finally:
        workers.close()


def join_workers(settings: SweepSettings, total: int | None, record: SweepRecord) -> Workers:
    """Return workers that are elsewhere. Called within the flow run of the sweep, which they learn of."""
    if settings.launcher.mode == "deployment":
        return _deployment(settings.launcher, total, record)
    return _cluster(settings, total)


def _deployment(launcher: LauncherNode, total: int | None, record: SweepRecord) -> Workers:
    from headrace.adapters.workers_deployment import DeploymentWorkers

    assert launcher.deployment is not None
    size = launcher.n_jobs or total or WORKERS_AT_MOST
    return DeploymentWorkers(size, launcher.deployment, record.id, record.prefect.get("flow_run_id"))


def _cluster(settings: SweepSettings, total: int | None) -> Workers:
    from headrace.adapters.runtime_prefect.settings import current_api_url
    from headrace.sweeps.away import run_job_away

    runtime = settings.runtime
    size = settings.launcher.n_jobs
    if runtime.address is None:
        size = runtime.n_workers or jobs_side_by_side(settings.launcher, total)
    call = partial(run_job_away, api_url=current_api_url())
    if runtime.kind == "dask":
        from headrace.adapters.workers_dask import DaskWorkers

        return DaskWorkers(size, call, runtime.address)
    from headrace.adapters.workers_ray import RayWorkers

    return RayWorkers(size, call, runtime.address)


def check_place(settings: SweepSettings, lake: LakeStore) -> None:
    """Raise `ConfigError` where workers on other machines could not reach what is only on this one."""
    from headrace.adapters.server_prefect import configured_api_url

    address, launcher = settings.runtime.address, settings.launcher
    if launcher.mode != "workers" or address is None or is_here(address):
        return
    problems: list[Problem] = []
    api_url = configured_api_url()
    if api_url is None or is_here(api_url):
        where = f"Prefect at {api_url}" if api_url else "this project's own Prefect server"
        found = f"workers at {address} cannot reach {where}, which only this machine can"
        problems.append(Problem("runtime.address", found, "set PREFECT_API_URL to one that they can reach"))
    if is_of_one_machine(lake):
        found = f"the embedded lake is for one machine, and workers at {address} may be on others"
        hint = "type: lake=lakefs; or lake.shared_disk=true, where the project is on a disk of all machines"
        problems.append(Problem("lake", found, hint))
    if settings.sweeper.pruner is not None and is_here(launcher.host):
        found = f"workers at {address} cannot report interim scores to {launcher.host}"
        hint = "type: hydra.launcher.host=<a name of this machine that they know>"
        problems.append(Problem("hydra.launcher.host", found, hint))
    if problems:
        raise ConfigError(problems)


def is_here(address: str) -> bool:
    """Tell whether an address names this machine by a name that no other machine has."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname
    return address == "auto" or host in ("localhost", "::1") or str(host).startswith("127.")


def jobs_side_by_side(launcher: LauncherNode, total: int | None) -> int:
    """Return how many jobs run at a time: as asked, else one a core, and no more than there are jobs.

    Where nobody says how many, no more either than there are GPUs for.
    """
    wanted = launcher.n_jobs or min(os.cpu_count() or 1, WORKERS_AT_MOST)
    if launcher.n_jobs is None and launcher.gpus_per_job is not None:
        wanted = min(wanted, len(visible_gpus()) // launcher.gpus_per_job)
    return max(1, wanted if total is None else min(wanted, total))


def check_gpus(launcher: LauncherNode, total: int | None) -> None:
    """Raise `ConfigError` where there are too few GPUs for the jobs side by side."""
    if launcher.gpus_per_job is not None:
        share_gpus(launcher.gpus_per_job, jobs_side_by_side(launcher, total))


def share_gpus(gpus_per_job: int | None, size: int) -> list[str]:
    """Return the devices of each worker. Raises `ConfigError` where there are too few for all."""
    if gpus_per_job is None:
        return []
    devices = visible_gpus()
    if len(devices) < gpus_per_job * size:
        raise ConfigError.one(
            "hydra.launcher.gpus_per_job",
            f"{'1 job needs' if size == 1 else f'{size} jobs side by side need'} "
            f"{gpus_per_job * size} GPUs, there are {len(devices)}",
            f"type: hydra.launcher.n_jobs={max(1, len(devices) // gpus_per_job)}"
            if len(devices) >= gpus_per_job
            else "leave it out",
        )
    return [",".join(devices[slot * gpus_per_job : (slot + 1) * gpus_per_job]) for slot in range(size)]


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use, without importing what uses them."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [part.strip() for part in said.split(",") if part.strip() not in ("", "-1")]
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return listed.stdout.split() if listed.returncode == 0 else []


def run_as_flow(job: Job, record: SweepRecord, body: Callable[[], None], plan: str) -> None:
    """Run the body as one Prefect flow run, where the config runs on Prefect. `job` is any of the sweep's."""
    runtime = job.runtime()

    def noted() -> None:
        record.prefect = runtime.info()
        body()

    runtime.run(f"sweep {record.id}", noted, {"overrides": list(record.overrides)}, plan)
