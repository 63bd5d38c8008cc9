"""Flows as Prefect deploys them: they take overrides and compose the config where they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from headrace.core.record import RunRecord
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from prefect import Flow

RunFlow = Callable[[DictConfig, Sequence[str]], RunRecord | None]


class RunDidNotSucceed(HeadraceError):
    """The run ended, and not well; Prefect shows the flow run as failed with this message."""


@cache
def make_flow(name: str, module: str, run: RunFlow) -> Flow[..., Any]:
    """Return the Prefect flow `module.name(overrides)`. Heartbeats stay on: nobody watches it.

    `sweep` is for the jobs of a sweep, which it says: its `id`, the place of
    its `lake`, and of the job `trial` and `params`.
    """
    from prefect import flow

    from headrace.config.compose import compose

    def body(overrides: list[str], sweep: dict[str, Any] | None = None) -> Any:
        if sweep is not None:
            return _run_in_sweep(name, overrides, sweep)
        record = run(compose(name, overrides), overrides)
        if record is None:
            return None
        if record.state != "succeeded":
            raise RunDidNotSucceed(f"run {record.id} {record.state}: {record.error}")
        return {"run": record.id, "metrics": record.metrics, "published": record.published}

    body.__name__ = body.__qualname__ = name
    body.__module__ = module
    return flow(name=name, persist_result=False)(body)


def _run_in_sweep(name: str, overrides: Sequence[str], sweep: Mapping[str, Any]) -> Any:
    """Run a job of a sweep, and leave what it came to where the sweep looks for it."""
    from prefect.artifacts import Artifact
    from prefect.states import Cancelled

    from headrace.adapters.workers_deployment import RESULT_KEY

    started = time.perf_counter()
    try:
        result = _result(name, overrides, sweep)
    except HeadraceError as error:
        sys.stderr.write(f"error: {error}\n")
        result = {"state": "failed", "error": str(error)}
    result["seconds"] = round(time.perf_counter() - started, 3)
    what = f"Job {sweep['trial']} of the sweep {sweep['id']}: {result['state']}"
    Artifact(type="json", key=RESULT_KEY, description=what, data=result).create()
    if result["state"] == "interrupted":
        return Cancelled(message="interrupted")
    if result["state"] == "failed":
        raise RunDidNotSucceed(f"run {result.get('run')} failed: {result.get('error')}")
    return result


def _result(name: str, overrides: Sequence[str], sweep: Mapping[str, Any]) -> dict[str, Any]:
    from headrace.assemble import prepare
    from headrace.config.compose import compose
    from headrace.core.sweep import SweepRef
    from headrace.sweeps.job import run_prepared
    from headrace.sweeps.lake_place import check_lake

    ref = SweepRef(
        id=str(sweep["id"]),
        trial=int(sweep["trial"]),
        params=dict(sweep["params"]),
        flow_run_id=sweep.get("flow_run_id"),
    )
    words = list(overrides)
    prepared = prepare(compose(name, words), words, flow=name, sweep=ref)
    check_lake(prepared.job.lake, sweep.get("lake"))
    return run_prepared(prepared)
