"""What a worker does for one job of a sweep. It lives on from job to job, and so does what it knows."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from headrace.adapters.report_channel import Reporter
from headrace.adapters.tracker_wandb import keep_recorders
from headrace.assemble import Memory, Prepared, prepare
from headrace.cached import read_cached
from headrace.config.folders import use_conf
from headrace.config.sweep import JobConfigs
from headrace.core.ports import Judge
from headrace.core.sweep import SweepRef
from headrace.errors import HeadraceError
from headrace.execute import import_call
from headrace.sweeps.lake_place import check_lake
from headrace.tell import LineDisplay

LOG = "job.log"


def run_sweep_job(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run one job, as `sweeps.engine` describes it, and return how it came out: small JSON.

    What the job prints and logs goes into `job.log` in its folder.
    """
    started = time.perf_counter()
    folder = Path(payload["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with _output_into(folder / LOG):
        try:
            result = _run(payload, folder)
        except HeadraceError as error:
            sys.stderr.write(f"error: {error}\n")
            result = {"state": "failed", "error": str(error)}
        except KeyboardInterrupt:
            result = {"state": "interrupted", "error": "interrupted"}
        except Exception as error:
            traceback.print_exc()
            result = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
    return {"seconds": round(time.perf_counter() - started, 3), **result}


def run_kept_job(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run one job of many in this process, which keeps what they share."""
    keep_recorders()
    return run_sweep_job(payload)


def warm_up(payload: Mapping[str, Any]) -> None:
    """Do beforehand what the first job in this process would do first: find its config, import its code.

    What goes wrong here goes wrong in that job once more, which says so.
    """
    keep_recorders()
    with _output_into(Path(os.devnull)), suppress(Exception):
        words, cfg = _compose(payload)
        ref = SweepRef(id=payload["sweep"], trial=-1, params={}, flow_run_id=payload["flow_run"])
        job = prepare(cfg, words, flow=payload["flow"], dry=True, memory=_memory(cfg), sweep=ref).job
        job.tracker().warm_up()
        for spec in job.graph.order:
            import_call(spec.call)
        job.runtime().warm_up()


def _compose(payload: Mapping[str, Any]) -> tuple[list[str], DictConfig]:
    if payload.get("cwd"):
        os.chdir(payload["cwd"])
    if payload.get("conf"):
        use_conf(Path(payload["conf"]))
    words = list(payload["overrides"])
    return words, _configs(payload["flow"], payload.get("conf")).compose(words)


def _run(payload: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    words, cfg = _compose(payload)
    _tell_hydra(payload, words, folder)
    ref = SweepRef(
        id=payload["sweep"],
        trial=payload["trial"],
        params=payload["params"],
        flow_run_id=payload.get("flow_run"),
    )
    with _judge(payload) as judge:
        prepared = prepare(cfg, words, flow=payload["flow"], memory=_memory(cfg), sweep=ref, judge=judge)
        check_lake(prepared.job.lake, payload["lake"])
        return run_prepared(prepared)


def run_prepared(prepared: Prepared) -> dict[str, Any]:
    """Run what is to run, and return how it came out: small JSON."""
    found = read_cached(prepared.job.graph, prepared.plan, prepared.job.lake)
    if found is not None and prepared.job.experiment.publish is None:
        return {"state": "cached", "run": found.run, "metrics": found.metrics, "rejected": found.rejected}
    if prepared.nothing_to_do and found is not None:
        return {"state": "cached", "run": found.run, "metrics": found.metrics}
    return _execute(prepared)


def _execute(prepared: Prepared) -> dict[str, Any]:
    from headrace.run import run_job

    record = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
    rejected = record.gate is not None and record.gate.get("passed") is False
    return {
        "state": record.state,
        "run": record.id,
        "metrics": record.metrics,
        "rejected": rejected,
        "error": record.error,
        "published": record.published,
    }


@contextmanager
def _judge(payload: Mapping[str, Any]) -> Iterator[Judge | None]:
    """Give what asks the sweep whether a job is to go on, where the sweep listens."""
    if not payload.get("reports"):
        yield None
        return
    reporter = Reporter(payload["trial"], payload["reports"])
    try:
        yield reporter
    finally:
        reporter.close()


@cache
def _configs(flow: str, conf: str | None) -> JobConfigs:
    return JobConfigs(flow)


_memories: dict[str, Memory] = {}


def forget() -> None:
    """Forget what earlier jobs found out about files and code."""
    _memories.clear()
    _configs.cache_clear()


def _memory(cfg: DictConfig) -> Memory:
    where = str(cfg.get("headrace_dir"))
    if where not in _memories:
        _memories[where] = Memory.of(cfg)
    return _memories[where]


def _tell_hydra(payload: Mapping[str, Any], words: list[str], folder: Path) -> None:
    """Let `HydraConfig` say of this job what Hydra's own launchers have it say."""
    cfg: Any = HydraConfig.instance().cfg
    hydra = cfg.hydra
    with read_write(hydra), open_dict(hydra):
        hydra.job.num = payload["trial"]
        hydra.job.id = f"{payload['sweep']}_{payload['trial']}"
        hydra.job.override_dirname = ",".join(f"{k}={v}" for k, v in payload["params"].items())
        hydra.overrides.task = words
        hydra.sweep.dir = str(folder.parent)
        hydra.sweep.subdir = folder.name
        hydra.runtime.output_dir = str(folder)


@contextmanager
def _output_into(file: Path) -> Iterator[None]:
    """Send what this process writes to its terminal, also from C code, to a file meanwhile."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with file.open("ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
