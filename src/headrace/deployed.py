"""Flows as Prefect deploys them: they take overrides and compose the config where they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Return the Prefect flow `module.name(overrides)`. Heartbeats stay on: nobody watches it."""
    from prefect import flow

    from headrace.config.compose import compose

    def body(overrides: list[str]) -> dict[str, Any] | None:
        record = run(compose(name, overrides), overrides)
        if record is None:
            return None
        if record.state != "succeeded":
            raise RunDidNotSucceed(f"run {record.id} {record.state}: {record.error}")
        return {"run": record.id, "metrics": record.metrics, "published": record.published}

    body.__name__ = body.__qualname__ = name
    body.__module__ = module
    return flow(name=name, persist_result=False)(body)
