"""A sweep planned as a whole: which stages its jobs share, and how many execute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.core.digest import digest_value
from headrace.core.graph import Graph
from headrace.core.plan import Plan, State
from headrace.core.spec import StageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job of a sweep: its overrides, its graph and its plan."""

    overrides: tuple[str, ...]
    graph: Graph
    plan: Plan
    parts: Mapping[str, object]  # by stage: what a key would hold beside the digests of its inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """One stage over all jobs: how many different ones there are, and how many execute."""

    name: str
    distinct: int
    cached: int
    estimated_seconds: float | None  # for those that execute

    @property
    def execute(self) -> int:
        return self.distinct - self.cached


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What a sweep comes to. `shared` names the stages that are one and the same in every job."""

    jobs: int
    stage_runs: int
    stages: tuple[StageCount, ...]
    shared: tuple[str, ...]

    @property
    def distinct(self) -> int:
        return sum(stage.distinct for stage in self.stages)

    @property
    def cached(self) -> int:
        return sum(stage.cached for stage in self.stages)

    @property
    def execute(self) -> int:
        return self.distinct - self.cached

    @property
    def estimated_seconds(self) -> float | None:
        """With one worker; None where a stage that executes was never seen."""
        known = [stage.estimated_seconds for stage in self.stages if stage.execute]
        return None if None in known else sum(seconds for seconds in known if seconds is not None)


def plan_sweep(jobs: Sequence[PlannedJob]) -> SweepPlan:
    """Count stages over jobs by what they are, also those whose inputs are still to be made.

    Two MAYBE stages are the same when their own parts are and the stages before them are: what those
    make will then be the same as well.
    """
    runs = 0
    seen: dict[str, dict[str, bool]] = {}  # stage: identity: is it cached
    uses: dict[str, Counter[str]] = {}
    seconds: dict[str, float | None] = {}
    for job in jobs:
        identities = identify(job)
        runs += len(identities)
        for stage in job.plan.stages:
            identity = identities[stage.name]
            seen.setdefault(stage.name, {})[identity] = stage.state is State.CACHED
            uses.setdefault(stage.name, Counter())[identity] += 1
            if stage.state is not State.CACHED:
                seconds[stage.name] = stage.estimated_seconds
    stages = []
    for name, found in seen.items():
        cached = sum(found.values())
        each = seconds.get(name)
        total = None if each is None else each * (len(found) - cached)
        stages.append(StageCount(name=name, distinct=len(found), cached=cached, estimated_seconds=total))
    shared = tuple(name for name, found in uses.items() if len(found) == 1 and found.total() == len(jobs))
    return SweepPlan(jobs=len(jobs), stage_runs=runs, stages=tuple(stages), shared=shared)


def identify(job: PlannedJob) -> dict[str, str]:
    """Return what each stage of a job is: its key where that is known, else parts and what comes before."""
    found: dict[str, str] = {}
    for spec in job.graph.order:
        key = job.plan[spec.name].key
        found[spec.name] = key.value if key is not None else _identity(job, spec, found)
    return found


def _identity(job: PlannedJob, spec: StageSpec, before: Mapping[str, str]) -> str:
    sources = {}
    for argument, artifact in spec.artifact_inputs().items():
        producer = job.graph.producer.get(artifact)
        sources[argument] = [artifact, before.get(producer, "") if producer else ""]
    return digest_value([job.parts[spec.name], sources])
