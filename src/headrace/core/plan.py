"""The plan: for every stage CACHED, RUN or MAYBE, and why. Nothing here acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.graph import Graph
from headrace.core.key import Key
from headrace.core.reason import Insight, explain_difference, shorten
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
    """`key` is None while an input is not known; `result` is there exactly when CACHED.

    `estimated_seconds` is what the stage took lately, 0 when CACHED, None where nobody knows.
    """

    name: str
    state: State
    reasons: tuple[str, ...]
    key: Key | None = None
    result: StageResult | None = None
    estimated_seconds: float | None = None

    @property
    def reason(self) -> str:
        """The first few reasons in one line."""
        return shorten(self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What plans look back at: the run that reasons compare with, and how long stages took.

    `parts` and `seconds` are by stage; `insight` says more of a difference, by stage.
    """

    run: str | None = None
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    insight: Callable[[StageSpec], Insight] = lambda spec: Insight()


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages in the order of the graph."""

    stages: tuple[StagePlan, ...]

    def __getitem__(self, name: str) -> StagePlan:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def nothing_to_run(self) -> bool:
        return all(stage.state is State.CACHED for stage in self.stages)

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

    `made` holds artifacts by name, `external` digests by URI: '' for what there is none of, which the
    stage does without.
    """
    digests = {arg: external[uri] for arg, uri in spec.external_inputs().items() if external[uri]}
    for arg, name in spec.artifact_inputs().items():
        if name not in made:
            return None
        digests[arg] = made[name].digest
    return digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Decides, with what it is given to look things up.

    `forced` names the stages that execute although their result is there; `remembers` tells whether
    the cache knows a key, whatever became of the objects.
    """

    make_key: MakeKey
    find_result: FindResult
    remembers: Callable[[Key], bool]
    past: Past
    forced: Mapping[str, str] = field(default_factory=dict)  # stage: why

    def plan_run(
        self, graph: Graph, external: Mapping[str, str], given: Mapping[str, Artifact] | None = None
    ) -> Plan:
        """Decide for every stage. `given` holds artifacts by name that no stage of the graph makes."""
        made = dict(given or {})
        plans: dict[str, StagePlan] = {}
        for spec in graph.order:
            digests = input_digests(spec, made, external)
            plan = self._wait(spec, graph, plans) if digests is None else self.plan_stage(spec, digests)
            plans[spec.name] = plan
            if plan.result is not None:
                made.update(name_outputs(spec, plan.result))
        return Plan(tuple(plans.values()))

    def plan_stage(self, spec: StageSpec, inputs: Mapping[str, str]) -> StagePlan:
        """Decide for one stage whose inputs are known, by argument."""
        key = self.make_key(spec, inputs)
        seconds = self.past.seconds.get(spec.name)
        why = self.forced.get(spec.name) or ("" if spec.cache else "cache is off")
        if not why:
            result = self.find_result(spec, key)
            if result is not None:
                made_by = (f"made by {result.run}",)
                return StagePlan(
                    name=spec.name,
                    state=State.CACHED,
                    reasons=made_by,
                    key=key,
                    result=result,
                    estimated_seconds=0.0,
                )
        reasons = (why,) if why else tuple(self._explain(spec, key))
        return StagePlan(name=spec.name, state=State.RUN, reasons=reasons, key=key, estimated_seconds=seconds)

    def _wait(self, spec: StageSpec, graph: Graph, plans: Mapping[str, StagePlan]) -> StagePlan:
        """Plan a stage whose inputs are still to be made."""
        seconds = self.past.seconds.get(spec.name)
        if why := self.forced.get(spec.name) or ("" if spec.cache else "cache is off"):
            return StagePlan(name=spec.name, state=State.RUN, reasons=(why,), estimated_seconds=seconds)
        waits = [n for n in graph.upstream[spec.name] if n in plans and plans[n].state is not State.CACHED]
        reasons = (f"after {', '.join(waits)}",)
        return StagePlan(name=spec.name, state=State.MAYBE, reasons=reasons, estimated_seconds=seconds)

    def _explain(self, spec: StageSpec, key: Key) -> list[str]:
        before = self.past.parts.get(spec.name)
        if before is None:
            return ["never ran before"]
        reasons = explain_difference(key.parts, before, self.past.insight(spec))
        if reasons:
            return reasons
        return ["cached object is gone" if self.remembers(key) else "its result is not cached any more"]


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
