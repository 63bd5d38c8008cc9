"""The graph of a pipeline: its edges come from the names of inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from headrace.core.spec import SCHEMES, StageSpec
from headrace.errors import ConfigError, Problem, did_you_mean


@dataclass(frozen=True, slots=True)
class Graph:
    """Stages in an order in which each comes after what it needs; ties keep the config's order."""

    order: tuple[StageSpec, ...]
    producer: Mapping[str, str]  # artifact -> stage
    upstream: Mapping[str, tuple[str, ...]]  # stage -> stages whose artifacts it reads

    def downstream(self, stage: str) -> list[str]:
        """Return the stages that need `stage`, directly or not, in order."""
        reached = {stage}
        for spec in self.order:
            if reached.intersection(self.upstream[spec.name]):
                reached.add(spec.name)
        return [spec.name for spec in self.order if spec.name in reached and spec.name != stage]

    def is_chain(self) -> bool:
        """Tell whether no two stages could ever run side by side."""
        return all(earlier.name in self.upstream[later.name] for earlier, later in pairwise(self.order))


def build_graph(stages: Sequence[StageSpec]) -> Graph:
    """Connect the stages. Raises `ConfigError` with every missing input, doubled output and cycle."""
    problems: list[Problem] = []
    producer: dict[str, str] = {}
    for stage in stages:
        for returned, artifact in stage.outputs.items():
            where = f"stages.{stage.name}.outputs.{returned}"
            if artifact in producer:
                other = producer[artifact]
                problems.append(
                    Problem(
                        where,
                        f"artifact '{artifact}' is already made by stage '{other}'",
                        f"give it another name: {where}=<name>",
                    )
                )
            producer.setdefault(artifact, stage.name)
    upstream = {stage.name: _upstream(stage, producer, problems) for stage in stages}
    order, cycle = _sort(stages, upstream)
    if cycle:
        problems.append(_cycle_problem(cycle, stages, producer))
    if problems:
        raise ConfigError(problems)
    return Graph(order=tuple(order), producer=producer, upstream=upstream)


def _upstream(stage: StageSpec, producer: Mapping[str, str], problems: list[Problem]) -> tuple[str, ...]:
    needed: dict[str, None] = {}
    for arg, artifact in stage.artifact_inputs().items():
        if artifact in producer:
            needed[producer[artifact]] = None
            continue
        where = f"stages.{stage.name}.inputs.{arg}"
        problems.append(
            Problem(where, f"no stage makes '{artifact}'", did_you_mean(artifact, producer, f"{where}={{}}"))
        )
    for arg, uri in stage.external_inputs().items():
        scheme = uri.partition(":")[0]
        if scheme not in SCHEMES:
            problems.append(
                Problem(
                    f"stages.{stage.name}.inputs.{arg}",
                    f"'{uri}' has the unknown scheme '{scheme}'",
                    "there are: " + ", ".join(f"{name}:" for name in SCHEMES),
                )
            )
    return tuple(needed)


def _sort(
    stages: Sequence[StageSpec], upstream: Mapping[str, tuple[str, ...]]
) -> tuple[list[StageSpec], list[str]]:
    """Return the stages in topological order, or what could be ordered and one cycle."""
    waiting = {stage.name: set(upstream[stage.name]) for stage in stages}
    by_name = {stage.name: stage for stage in stages}
    dependants: dict[str, list[str]] = {name: [] for name in by_name}
    for name, needed in upstream.items():
        for other in needed:
            dependants[other].append(name)
    position = {stage.name: i for i, stage in enumerate(stages)}
    ready = [name for name in by_name if not waiting[name]]
    order: list[StageSpec] = []
    while ready:
        name = min(ready, key=position.__getitem__)
        ready.remove(name)
        order.append(by_name[name])
        del waiting[name]
        for other in dependants[name]:
            waiting[other].discard(name)
            if not waiting[other]:
                ready.append(other)
    return order, _find_cycle(waiting)


def _find_cycle(waiting: Mapping[str, set[str]]) -> list[str]:
    if not waiting:
        return []
    path = [min(waiting)]
    while True:
        following = min(name for name in waiting[path[-1]] if name in waiting)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def _cycle_problem(cycle: list[str], stages: Sequence[StageSpec], producer: Mapping[str, str]) -> Problem:
    inputs = {stage.name: stage.artifact_inputs().values() for stage in stages}
    steps = [cycle[0]]
    first = next(stage for stage in stages if stage.name == cycle[0])
    read = next(arg for arg, made in first.artifact_inputs().items() if producer.get(made) == cycle[1])
    for name, source in pairwise(cycle):
        via = next(a for a in inputs[name] if producer.get(a) == source)
        steps.append(f"{source} (makes {via})")
    found = "these stages wait for each other: " + " <- ".join(steps)
    hint = f"change one of these inputs, type: stages.{first.name}.inputs.{read}=<artifact>"
    return Problem("stages", found, hint)
