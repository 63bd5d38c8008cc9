"""What a run came to whose stages are all cached: figures and the gate's verdict, read from the lake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.graph import Graph
from headrace.core.plan import Plan, State, final_runs, name_outputs
from headrace.core.ports import LakeReader
from headrace.core.spec import StageSpec
from headrace.errors import ObjectDamaged, ObjectNotFound

METRICS = "metrics"  # the artifact whose figures are a run's metrics
GATE = "gate"  # what a gate's verdict is called where nothing is published, so that no config names it


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResult:
    """`run` made the figures, or where there are none the last artifacts."""

    run: str
    metrics: dict[str, float]
    rejected: bool


def find_gate(stages: tuple[StageSpec, ...]) -> str | None:
    """Return the artifact that holds the gate's verdict where nothing is published, or None."""
    made = (pair for stage in stages for pair in stage.outputs.items())
    return next((artifact for returned, artifact in made if GATE in (returned, artifact)), None)


def read_cached(graph: Graph, plan: Plan, lake: LakeReader) -> CachedResult | None:
    """Return the result of a run that publishes nothing, or None where a stage is still to execute.

    What a gate that says no bars need not be there. None too where the lake has lost what it reads.
    """
    found = {
        artifact_name: artifact
        for stage in plan.stages
        if stage.result is not None and stage.state is State.CACHED
        for artifact_name, artifact in name_outputs(_spec(graph, stage.name), stage.result).items()
    }
    try:
        gate = find_gate(graph.order)
        verdict = _read(lake, found[gate]) if gate in found else None
        rejected = isinstance(verdict, Mapping) and verdict.get("passed") is False
        barred = graph.downstream(graph.producer[gate]) if rejected and gate is not None else ()
        if any(stage.state is not State.CACHED and stage.name not in barred for stage in plan.stages):
            return None
        told = _read(lake, found[METRICS]) if METRICS in found else {}
    except (ObjectDamaged, ObjectNotFound):
        return None
    runs = [plan[graph.producer[METRICS]]] if METRICS in found else []
    made_by = [stage.result.run for stage in runs if stage.result is not None] or final_runs(graph, plan)
    return CachedResult(run=made_by[-1], metrics=figures(told), rejected=rejected)


def figures(told: Any) -> dict[str, float]:
    """Return the numbers of a metrics artifact."""
    values = told if isinstance(told, Mapping) else {}
    return {str(name): value for name, value in values.items() if isinstance(value, int | float)}


def _read(lake: LakeReader, artifact: Any) -> Any:
    if artifact.codec != "json":
        return None
    return json.loads(lake.local_path(artifact.commit, artifact.path).read_bytes())


def _spec(graph: Graph, name: str) -> StageSpec:
    return next(spec for spec in graph.order if spec.name == name)
