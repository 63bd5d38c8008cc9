"""A sweep planned as a whole: which stages its jobs share, and how many execute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from headrace.assemble import Memory, Prepared, prepare
from headrace.config.check import check_stage
from headrace.config.resolve import dotted, leaves
from headrace.config.sweep import compose_jobs
from headrace.core.digest import CannotEncode, digest_value
from headrace.core.graph import Graph
from headrace.core.key import Key, make_key
from headrace.core.plan import Plan, StageResult, State
from headrace.core.secrets import without_secrets
from headrace.core.spec import StageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job of a sweep: its overrides, its graph and its plan.

    `loaded` is the first job of its composition, whose config was loaded and checked as a whole.
    """

    overrides: tuple[str, ...]
    graph: Graph
    plan: Plan
    parts: Mapping[str, Mapping[str, Any]]  # by stage: what a key would hold beside the digests of its inputs
    forced: frozenset[str] = frozenset()  # stages that execute in this job whatever another one left
    loaded: Prepared = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """One stage over all jobs: how many different ones there are, and how often it executes."""

    name: str
    distinct: int
    cached: int
    execute: int
    estimated_seconds: float | None  # for those that execute; None where one of them was never seen


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What a sweep comes to. `shared` names the stages whose one result serves every job."""

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
        return sum(stage.execute for stage in self.stages)

    @property
    def estimated_seconds(self) -> float | None:
        """With one worker; None where a stage that executes was never seen."""
        known = [stage.estimated_seconds for stage in self.stages if stage.execute]
        return None if None in known else sum(seconds for seconds in known if seconds is not None)


@dataclass(slots=True)
class _Seen:
    """One distinct stage: how many jobs have it, and how often it executes for them."""

    jobs: int = 0
    cached: bool = False
    execute: int = 0
    seconds: float | None = None
    forced: bool = False


def plan_sweep(jobs: Sequence[PlannedJob]) -> SweepPlan:
    """Count stages over jobs by what they are, also those whose inputs are still to be made.

    Two MAYBE stages are the same when their own parts are and the stages before them are: what those
    make will then be the same as well.
    """
    seen: dict[str, dict[str, _Seen]] = {}
    digests: dict[int, str] = {}  # of parts by their id: jobs share most of them
    for job in jobs:
        identities = identify(job, digests)
        for stage in job.plan.stages:
            one = seen.setdefault(stage.name, {}).setdefault(identities[stage.name], _Seen())
            forced = stage.name in job.forced
            one.jobs += 1
            one.forced |= forced
            one.cached |= stage.state is State.CACHED
            if forced or (stage.state is not State.CACHED and not one.execute):
                one.execute += 1
                one.seconds = stage.estimated_seconds
    shared = (
        name
        for name, found in seen.items()
        if all(one.jobs == len(jobs) and not one.forced for one in found.values())
    )
    return SweepPlan(
        jobs=len(jobs),
        stage_runs=sum(len(job.plan.stages) for job in jobs),
        stages=tuple(_count(name, list(found.values())) for name, found in seen.items()),
        shared=tuple(shared),
    )


def _count(name: str, found: Sequence[_Seen]) -> StageCount:
    seconds = [None if one.seconds is None else one.seconds * one.execute for one in found if one.execute]
    return StageCount(
        name=name,
        distinct=len(found),
        cached=sum(one.cached for one in found),
        execute=sum(one.execute for one in found),
        estimated_seconds=None if None in seconds else sum(each for each in seconds if each is not None),
    )


def identify(job: PlannedJob, digests: dict[int, str] | None = None) -> dict[str, str]:
    """Return what each stage of a job is: its key where that is known, else parts and what comes before.

    `digests` keeps the digests of parts between calls, for as long as the jobs live.
    """
    digests = {} if digests is None else digests
    found: dict[str, str] = {}
    for spec, stage in zip(job.graph.order, job.plan.stages, strict=True):
        if stage.key is not None:
            found[spec.name] = stage.key.value
            continue
        parts = job.parts[spec.name]
        if id(parts) not in digests:
            digests[id(parts)] = digest_value(parts)
        sources = {
            argument: [artifact, found.get(job.graph.producer.get(artifact, ""), "")]
            for argument, artifact in spec.artifact_inputs().items()
        }
        found[spec.name] = digest_value([digests[id(parts)], sources])
    return found


# --- planning the jobs ------------------------------------------------------------------------


def plan_jobs(config_name: str, jobs: Sequence[list[str]], flow: str) -> Iterator[PlannedJob]:
    """Plan every job of a sweep, given by its overrides. Writes nothing.

    Files, code, lakes and past runs are looked at once, at the first job that needs them. Raises
    `ConfigError` for the first job that is wrong, and `StageFailed` where an external input is missing.
    """
    memory: Memory | None = None
    known: dict[int, _Composition] = {}  # each holds its config, so that no id comes up twice
    for words, cfg in compose_jobs(config_name, jobs):
        memory = memory or Memory.of(cfg)
        composition = known.get(id(cfg))
        job = None if composition is None else composition.vary(words)
        if job is None:
            prepared = prepare(cfg, words, flow=flow, dry=True, memory=memory)
            job = PlannedJob(
                overrides=tuple(words),
                graph=prepared.job.graph,
                plan=prepared.plan,
                parts={spec.name: prepared.own_parts(spec) for spec in prepared.job.graph.order},
                forced=_forced(prepared),
                loaded=prepared,
            )
            if composition is None:
                known[id(cfg)] = _Composition(cfg, words, prepared, memory)
        yield job


def _forced(prepared: Prepared) -> frozenset[str]:
    uncached = [spec.name for spec in prepared.job.graph.order if not spec.cache]
    return frozenset([*prepared.job.planner.forced, *uncached])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    """A stage with the params of some job. `token` is one and the same for equal params."""

    spec: StageSpec
    public: Mapping[str, Any]  # params as they may be recorded
    token: str


_REFERENCE = re.compile(r"\$\{(\w[\w.-]*)\}")
_VARIABLE = re.compile(r"\$\{oc\.env:[^${}]*\}")


class _Composition:
    """The jobs of one composition, which differ in values: what these do not reach is planned once.

    Loading a config takes tens of milliseconds, nearly all of them for what is the same in every job.
    `vary` says None wherever it is not sure to say what loading would, and so for every mistake.
    """

    def __init__(self, cfg: DictConfig, words: Sequence[str], prepared: Prepared, memory: Memory) -> None:
        self._cfg = cfg
        self._words = words
        self._prepared = prepared
        self._index = memory.index
        self._forced = _forced(prepared)
        self._reads: dict[str, frozenset[str]] = {}  # what each interpolation reads
        self._variables: set[str] = set()  # where an environment variable enters, perhaps a secret
        self._clear = True
        for path, node in leaves(cfg, into_lists=True):
            if node._is_interpolation():
                self._read(dotted(path), str(node._value()))
        self._reached: dict[tuple[str, ...], frozenset[str] | None] = {}
        self._variants: dict[tuple[str, str], _Variant | None] = {}
        self._keys: dict[Any, Key] = {}
        self._results: dict[Any, StageResult | None] = {}

    def _read(self, path: str, text: str) -> None:
        rest = _REFERENCE.sub("", text)
        if _VARIABLE.search(rest):
            self._variables.add(path)
        # A relative interpolation, or a resolver, which may read anything.
        self._clear &= "${" not in _VARIABLE.sub("", rest)
        self._reads[path] = frozenset(_REFERENCE.findall(text))

    def vary(self, words: Sequence[str]) -> PlannedJob | None:
        """Plan the job whose values the config holds now. None: load it instead."""
        keys = self._changed(words)
        if keys is None:
            return None
        if keys not in self._reached:
            self._reached[keys] = self._reach(keys)
        names, seed = self._reached[keys], self._cfg.get("seed", 0)
        if names is None or type(seed) is not int:
            return None
        variants = {name: self._variant(name) for name in names}
        if None in variants.values():
            return None
        known = {name: variant for name, variant in variants.items() if variant is not None}
        job = self._prepared.job
        order = (known[spec.name].spec if spec.name in known else spec for spec in job.graph.order)
        graph = replace(job.graph, order=tuple(order))
        key_of = partial(self._make_key, known, seed)
        planner = replace(job.planner, make_key=key_of, find_result=self._find_result)
        return PlannedJob(
            overrides=tuple(words),
            graph=graph,
            plan=planner.plan_run(graph, job.external, job.given),
            parts={spec.name: key_of(spec, {}).parts for spec in graph.order},
            forced=self._forced,
            loaded=self._prepared,
        )

    def _changed(self, words: Sequence[str]) -> tuple[str, ...] | None:
        """Return the keys at which a job has another value than the first one."""
        if not self._clear or len(words) != len(self._words):
            return None
        keys = []
        for word, first in zip(words, self._words, strict=True):
            if word == first:
                continue
            key = word.lstrip("+").partition("=")[0]
            special = any(mark in text for mark in ("${", "???") for text in (word, first))
            if special or key != first.lstrip("+").partition("=")[0] or not re.fullmatch(r"[\w.-]+", key):
                return None
            keys.append(key)
        return tuple(keys)

    def _reach(self, keys: Sequence[str]) -> frozenset[str] | None:
        """Return the stages whose params depend on these keys; None where more than params does."""
        changed, grows = set(keys), True
        while grows:
            more = {path for path, reads in self._reads.items() if _any_related(reads, changed)} - changed
            changed |= more
            grows = bool(more)
        stages = set()
        for top, _, rest in (path.partition(".") for path in changed):
            below = rest.split(".")
            if top == "stages" and len(below) > 2 and below[1] == "params":
                stages.add(below[0])
            elif not (
                (top == "seed" and not rest)
                or (top in ("model", "vars") and rest)
                or (top == "dataset" and rest and below[0] != "at")
            ):
                return None
        here = {spec.name for spec in self._prepared.job.graph.order}
        if not stages <= here or any(self._takes_variable(f"stages.{name}.params") for name in stages):
            return None
        return frozenset(stages)

    def _takes_variable(self, path: str) -> bool:
        taken, grows = {path}, True
        while grows:
            reads = (reads for at, reads in self._reads.items() if _any_related([at], taken))
            more = set().union(*reads) - taken
            taken |= more
            grows = bool(more)
        return _any_related(self._variables, taken)

    def _variant(self, name: str) -> _Variant | None:
        try:
            node = OmegaConf.select(self._cfg, f"stages.{name}.params")
            params: Any = OmegaConf.to_container(node, resolve=True)
            token = digest_value(params)
        except (OmegaConfBaseException, CannotEncode, ValueError):
            return None
        if (name, token) not in self._variants:
            self._variants[name, token] = self._check(name, params, token)
        return self._variants[name, token]

    def _check(self, name: str, params: Any, token: str) -> _Variant | None:
        spec = replace(self._prepared.job.experiment.stage(name), params=params)
        _, problems = check_stage(self._index, spec, f"stages.{name}", {})
        if problems:
            return None
        public = without_secrets({"stages": {name: {"params": params}}})["stages"][name]["params"]
        return _Variant(spec=spec, public=public, token=token)

    def _make_key(
        self, variants: Mapping[str, _Variant], seed: int, spec: StageSpec, inputs: Mapping[str, str]
    ) -> Key:
        variant = variants.get(spec.name)
        name = (spec.name, variant and variant.token, seed, tuple(sorted(inputs.items())))
        if name not in self._keys:
            job = self._prepared.job
            first = job.experiment.config["stages"][spec.name].get("params") or {}
            public = first if variant is None else variant.public
            self._keys[name] = make_key(self._index, spec, public, job.signatures[spec.name], inputs, seed)
        return self._keys[name]

    def _find_result(self, spec: StageSpec, key: Key) -> StageResult | None:
        name = (key.value, *sorted(spec.outputs))
        if name not in self._results:
            self._results[name] = self._prepared.job.planner.find_result(spec, key)
        return self._results[name]


def _any_related(some: Any, others: Any) -> bool:
    """Tell whether a path of the one kind is, holds or lies in one of the other."""
    pairs = ((one, other) for one in some for other in others)
    return any(a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.") for a, b in pairs)
