"""The plan: for every stage CACHED, RUN or MAYBE, and why. Nothing here acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.graph import Graph
from headrace.core.key import Key, explain_difference
from headrace.core.spec import StageSpec


class State(StrEnum):
    """CACHED: the outputs exist. RUN: they do not. MAYBE: an input will be made anew, perhaps the same."""

    CACHED = "CACHED"
    RUN = "RUN"
    MAYBE = "MAYBE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a finished stage left: `outputs` by returned name. It is what the stage cache holds."""

    stage: str
    key: str
    run: str
    seconds: float
    outputs: Mapping[str, Artifact]

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "key": self.key,
            "run": self.run,
            "seconds": self.seconds,
            "outputs": {name: artifact.to_json() for name, artifact in self.outputs.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageResult:
        outputs = {name: Artifact.from_json(item) for name, item in data["outputs"].items()}
        return cls(
            stage=data["stage"], key=data["key"], run=data["run"], seconds=data["seconds"], outputs=outputs
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """`key` is None while an input is not known; `result` is there exactly when CACHED."""

    name: str
    state: State
    reason: str
    key: Key | None = None
    result: StageResult | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages in the order of the graph."""

    stages: tuple[StagePlan, ...]

    def __getitem__(self, name: str) -> StagePlan:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def nothing_to_run(self) -> bool:
        return all(stage.state is State.CACHED for stage in self.stages)

    def count(self, *states: State) -> int:
        return sum(stage.state in states for stage in self.stages)

    def to_markdown(self) -> str:
        """Return the plan as a Markdown table."""
        rows = "".join(f"| {s.name} | {s.state} | {s.reason} |\n" for s in self.stages)
        return f"| stage | state | why |\n|---|---|---|\n{rows}"


MakeKey = Callable[[StageSpec, Mapping[str, str]], Key]
"""Returns a stage's key from the digests of its inputs by argument."""

FindResult = Callable[[StageSpec, Key], StageResult | None]
"""Returns the result of a stage by key, if its objects are still there."""


def input_digests(
    spec: StageSpec, made: Mapping[str, Artifact], external: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the digests of a stage's inputs by argument, or None while one is not made yet.

    `made` holds artifacts by name, `external` digests by URI.
    """
    digests = {arg: external[uri] for arg, uri in spec.external_inputs().items()}
    for arg, name in spec.artifact_inputs().items():
        if name not in made:
            return None
        digests[arg] = made[name].digest
    return digests


def plan_run(
    graph: Graph,
    external: Mapping[str, str],
    make_key: MakeKey,
    find_result: FindResult,
    before: Mapping[str, Mapping[str, Any]],
) -> Plan:
    """Decide for every stage. `before` holds the key parts of the last comparable run by stage."""
    made: dict[str, Artifact] = {}
    plans: dict[str, StagePlan] = {}
    for spec in graph.order:
        digests = input_digests(spec, made, external)
        if digests is None:
            waits = [name for name in graph.upstream[spec.name] if plans[name].state is not State.CACHED]
            plan = StagePlan(name=spec.name, state=State.MAYBE, reason=f"after {', '.join(waits)}")
        else:
            key = make_key(spec, digests)
            plan = plan_stage(spec, key, find_result, before.get(spec.name))
        plans[spec.name] = plan
        if plan.result is not None:
            made.update(name_outputs(spec, plan.result))
    return Plan(tuple(plans.values()))


def plan_stage(
    spec: StageSpec, key: Key, find_result: FindResult, before: Mapping[str, Any] | None
) -> StagePlan:
    """Decide for one stage whose inputs are known."""
    if not spec.cache:
        return StagePlan(name=spec.name, state=State.RUN, reason="cache is off", key=key)
    result = find_result(spec, key)
    if result is not None:
        return StagePlan(
            name=spec.name, state=State.CACHED, reason=f"made by {result.run}", key=key, result=result
        )
    if before is None:
        reason = "never ran before"
    else:
        reason = explain_difference(key.parts, before) or "its result is gone"
    return StagePlan(name=spec.name, state=State.RUN, reason=reason, key=key)


def name_outputs(spec: StageSpec, result: StageResult) -> dict[str, Artifact]:
    """Return a result's artifacts under the names that the pipeline gives them."""
    return {spec.outputs[name]: artifact for name, artifact in result.outputs.items() if name in spec.outputs}


def final_runs(graph: Graph, plan: Plan) -> list[str]:
    """Return the runs that made the outputs which no other stage reads."""
    read: set[str] = set().union(*map(set, graph.upstream.values())) if graph.upstream else set()
    return sorted({s.result.run for s in plan.stages if s.name not in read and s.result is not None})


def all_external(stages: Iterable[StageSpec]) -> list[str]:
    """Return every external URI that the stages read."""
    return sorted({uri for stage in stages for uri in stage.external_inputs().values()})
