"""Which stages of a pipeline are to run: all, up to one, or one alone on what a past run left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headrace.core.artifact import Artifact
from headrace.core.graph import Graph
from headrace.core.record import RunRecord
from headrace.core.spec import Experiment, StageSpec
from headrace.errors import ConfigError, Problem, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command may ask beside its experiment; see the keys of the same names in the config."""

    stop_after: str | None = None
    only: str | None = None
    run: str | None = None
    force: tuple[str, ...] = ()
    cache: bool = True
    against: str | None = None

    def problems(self, stages: list[str]) -> list[Problem]:
        """Return what cannot be, given the names of the stages."""
        found = []
        named = [("stop_after", self.stop_after), ("only", self.only)]
        named += [("force", name) for name in self.force]
        for key, name in named:
            if name is not None and name not in stages:
                hint = did_you_mean(name, stages, f"{key}={{}}")
                found.append(Problem(key, f"there is no stage '{name}'", hint))
        if self.only is not None and self.stop_after is not None:
            hint = "leave one of them out"
            found.append(Problem("only", "says one stage, and stop_after says several", hint))
        if self.only is not None and self.run is None:
            hint = "type: run=<id of a past run>"
            found.append(Problem("only", "needs the run whose artifacts the stage reads", hint))
        return found

    @property
    def is_partial(self) -> bool:
        return self.only is not None or self.stop_after is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is left to run. `given` are artifacts by name that a past run made.

    `forced` says of each stage that executes in any case why it does.
    """

    experiment: Experiment
    graph: Graph
    given: Mapping[str, Artifact] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)


def choose(experiment: Experiment, graph: Graph, options: Options, past: RunRecord | None) -> Chosen:
    """Narrow an experiment to what the options ask. `past` is the run that `options.run` names.

    Raises `ConfigError` where the past run lacks what the stage reads.
    """
    forced = {spec.name: "cache=false" for spec in graph.order} if not options.cache else {}
    forced |= {name: f"force={name}" for name in options.force}
    given: dict[str, Artifact] = {}
    kept = {spec.name for spec in graph.order}
    if options.stop_after is not None:
        kept = _needed(graph, options.stop_after)
    if options.only is not None:
        assert past is not None  # checked with the options
        kept = {options.only}
        given = _given(experiment.stage(options.only), past)
        forced[options.only] = f"only={options.only}"
    if not options.is_partial:
        return Chosen(experiment=experiment, graph=graph, forced=forced)
    order = tuple(spec for spec in graph.order if spec.name in kept)
    return Chosen(
        experiment=replace(experiment, stages=order, publish=None),
        graph=Graph(
            order=order,
            producer={artifact: name for artifact, name in graph.producer.items() if name in kept},
            upstream={name: tuple(n for n in graph.upstream[name] if n in kept) for name in kept},
        ),
        given=given,
        forced={name: why for name, why in forced.items() if name in kept},
    )


def _needed(graph: Graph, last: str) -> set[str]:
    needed, pending = {last}, [last]
    while pending:
        for name in graph.upstream[pending.pop()]:
            if name not in needed:
                needed.add(name)
                pending.append(name)
    return needed


def _given(spec: StageSpec, past: RunRecord) -> dict[str, Artifact]:
    made = {name: artifact for stage in past.stages for name, artifact in stage.outputs.items()}
    wanted = spec.artifact_inputs().values()
    missing = sorted(name for name in wanted if name not in made)
    if missing:
        hint = f"it has: {', '.join(sorted(made)) or 'none'}"
        found = f"run {past.id} has no artifact '{missing[0]}', which {spec.name} reads"
        raise ConfigError.one("run", found, hint)
    return {name: made[name] for name in wanted}
