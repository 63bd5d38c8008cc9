"""The composition root: picks the adapters that a config asks for, each when it is first needed."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig

from headrace.adapters.cache_files import FileStageCache, cache_folder
from headrace.adapters.code_store import CodeStore
from headrace.adapters.git_state import read_git_state
from headrace.adapters.machine_state import read_machine_state
from headrace.adapters.record_files import RunRecords
from headrace.adapters.scratch_folders import ScratchFolders
from headrace.adapters.source_files import Sources
from headrace.adapters.source_models import SourceModels
from headrace.adapters.stat_cache import StatCache
from headrace.challenge import Pinned, find_pinned, read_models
from headrace.config.build import build_node
from headrace.config.load import Loaded, load_config
from headrace.core.choice import choose
from headrace.core.code import CodeIndex
from headrace.core.gate_line import failed_line
from headrace.core.key import Key, make_key
from headrace.core.plan import FindResult, Plan, Planner, StageResult, State, name_outputs
from headrace.core.ports import MAIN, Codec, Judge, LakeStore, StageCache, Tracker
from headrace.core.record import RunRecord
from headrace.core.redactor import Redactor
from headrace.core.secrets import redact_overrides
from headrace.core.signature import Signature
from headrace.core.spec import Experiment, StageSpec
from headrace.core.sweep import SweepRef
from headrace.core.time_travel import find_commit
from headrace.errors import (
    ConfigError,
    GateRejected,
    InvalidName,
    ObjectDamaged,
    ObjectNotFound,
    Problem,
    RefNotFound,
    SourceNotFound,
    StageError,
    StageFailed,
)
from headrace.execute import artifact_is_there
from headrace.job import Job
from headrace.past import look_back, read_run, recent_runs
from headrace.project import build_lake
from headrace.registry import find_tag, find_version, read_current, read_registry, tag_name
from headrace.runtimes import Runtimes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job with its plan. `begin` starts what takes long, to overlap it with the rest."""

    job: Job
    plan: Plan
    begin: Callable[[], None]
    server_hint: Callable[[], str]
    published: Callable[[], dict[str, Any] | None]  # the version that the plan's package is; asks once

    @property
    def nothing_to_do(self) -> bool:
        publishes = self.job.experiment.publish is not None
        return self.plan.nothing_to_run and (not publishes or self.published() is not None)

    def rejected_by(self) -> GateRejected | None:
        """Return the gate's no, where every stage up to the gate is cached and it says no; else None.

        None too where its verdict cannot be read: a run finds that out, and mends it.
        """
        spec = self.job.experiment.publish
        if spec is None or spec.gate is None:
            return None
        gate = self.job.graph.producer[spec.gate]
        after = self.job.graph.downstream(gate)
        stages = [stage for stage in self.plan.stages if stage.name not in after]
        if any(stage.state is not State.CACHED for stage in stages):
            return None
        result = self.plan[gate].result
        assert result is not None
        artifact = name_outputs(self.job.experiment.stage(gate), result)[spec.gate]
        try:
            verdict = json.loads(self.job.lake.local_path(artifact.commit, artifact.path).read_bytes())
        except (ObjectDamaged, ObjectNotFound):
            return None
        if verdict["passed"]:
            return None
        return GateRejected.by(failed_line(check) for check in verdict["checks"] if not check["passed"])

    def own_parts(self, spec: StageSpec) -> dict[str, Any]:
        """Return what a stage's key holds beside the digests of its inputs, also before these are known."""
        return dict(self.job.planner.make_key(spec, {}).parts)

    def head(self, record: RunRecord) -> str:
        """Return the commit that a run's branch is at."""
        return self.job.lake.resolve(record.branch)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process may keep between several plans: facts about files and code, lakes, past runs."""

    files: StatCache
    index: CodeIndex
    kept: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Return what was made under this name, made now where it was not yet."""
        if name not in self.kept:
            self.kept[name] = make()
        found: T = self.kept[name]
        return found

    @classmethod
    def of(cls, cfg: DictConfig) -> Memory:
        files = StatCache(_root(cfg) / "cache" / "files.json")
        return cls(files, CodeIndex(files.remember))


def _root(cfg: DictConfig) -> Path:
    return Path(str(cfg.get("headrace_dir") or ".headrace")).absolute()


def prepare(
    cfg: DictConfig,
    overrides: Sequence[str],
    flow: str,
    dry: bool = False,
    memory: Memory | None = None,
    sweep: SweepRef | None = None,
    judge: Judge | None = None,
) -> Prepared:
    """Check a config, and plan its run. Writes nothing but what it remembers of files; `dry` not even that.

    `sweep` says which job of a sweep the run is, and `judge` is asked about the interim scores that its
    stages report.

    Raises `ConfigError`, and `StageFailed` where an external input cannot be read.
    """
    root = _root(cfg)
    memory = memory or Memory.of(cfg)
    remembered, index = memory.files, memory.index
    loaded = load_config(cfg, index)
    lake = memory.keep(f"lake {loaded.lake}", lambda: build_lake(loaded.lake))
    cache_files = FileStageCache(cache_folder(root, lake.identity))
    runtime = Runtimes(root, loaded, cache_files, sweep)
    runtime.check()
    source_commit = _resolve_source(lake, loaded.experiment.source_ref)
    registries = cache(partial(read_current, lake))
    at = _resolve_at(lake, loaded, source_commit)
    sources = Sources(remembered.remember, lake, at, SourceModels(registries))
    records = RunRecords(root / "runs")
    options = loaded.options
    past_run = read_run(records, "run", options.run) if options.run else None
    chosen = choose(loaded.experiment, loaded.graph, options, past_run)
    told = _describe_external(chosen.experiment, sources, loaded.signatures)
    external = {uri: sources.digest(uri) for uri in told}
    code = CodeStore(root / "cache" / "code")
    name, pipeline = loaded.experiment.name, loaded.experiment.pipeline
    recent = memory.keep(f"runs {name} {pipeline}", lambda: recent_runs(records, name, pipeline))
    before = read_run(records, "against", options.against) if options.against else next(iter(recent), None)
    planner = Planner(
        make_key=partial(_make_key, index, loaded),
        find_result=partial(_find_result, cache_files, lake),
        remembers=lambda key: cache_files.get(key.value) is not None,
        past=look_back(recent, before, told, code, index.definitions),
        forced=chosen.forced,
    )
    now = replace(planner, find_result=_looking_once(planner.find_result))
    plan = now.plan_run(chosen.graph, external, chosen.given)

    def plan_with(pinned: Pinned) -> Plan:
        models = SourceModels(registries, pinned)
        then = {**external, **{uri: models.digest(uri) for uri in pinned}}
        return now.plan_run(chosen.graph, then, chosen.given)

    pinned = find_pinned(chosen, plan, read_models(told), lambda s: registries(s.model)[1], plan_with)
    if pinned is not None:
        sources = Sources(remembered.remember, lake, at, SourceModels(registries, pinned))
        told |= {uri: sources.describe(uri) for uri in pinned}
        external |= {uri: sources.digest(uri) for uri in pinned}
        plan = plan_with(pinned)
    shown = redact_overrides(overrides)
    command = shlex.join(["python", "-m", f"flows.{flow}", *shown])
    job = Job(
        experiment=chosen.experiment,
        graph=chosen.graph,
        signatures=loaded.signatures,
        source_commit=source_commit,
        external=external,
        sources_told=told,
        given=chosen.given,
        planner=planner,
        is_partial=options.is_partial,
        keep_code=partial(_keep_code, code, index),
        lake=lake,
        cache=cache_files,
        sources=sources,
        records=records,
        scratch=ScratchFolders(root / "scratch"),
        redact=_redactor(loaded),
        root=root,
        flow=flow,
        command=command,
        resume=command,
        overrides=shown,
        codecs=codecs,
        tracker=lambda: build_tracker(loaded.tracker),
        runtime=runtime.build,
        git_state=read_git_state,
        machine_state=read_machine_state,
        sweep=sweep,
        judge=judge,
    )
    if not dry:
        remembered.save()
    return Prepared(
        job=job,
        plan=plan,
        begin=runtime.begin,
        server_hint=runtime.hint,
        published=cache(partial(_find_published, job, plan)),
    )


def _resolve_source(lake: LakeStore, ref: str) -> str:
    try:
        return lake.resolve(ref)
    except (RefNotFound, InvalidName) as error:
        raise ConfigError.one("source_ref", str(error), f"type: source_ref={MAIN}") from error


def _resolve_at(lake: LakeStore, loaded: Loaded, source_commit: str) -> str:
    """Return the commit that `lake:` inputs are read at. Raises `ConfigError`."""
    if loaded.at is None:
        return source_commit
    return find_commit(lake, loaded.at, loaded.experiment.source_ref, source_commit, time.time())


def _find_published(job: Job, plan: Plan) -> dict[str, Any] | None:
    """Return the version in the registry that holds the plan's package, or None.

    None too where the experiment publishes nothing.
    """
    spec = job.experiment.publish
    if spec is None or not plan.nothing_to_run:
        return None
    stage = job.experiment.stage(job.graph.producer[spec.package])
    result = plan[stage.name].result
    assert result is not None
    registry = read_registry(job.lake, MAIN, spec.model)
    found = find_version(registry, name_outputs(stage, result)[spec.package].digest)
    # A run that was killed just before it tagged its version is finished by the next one.
    if found is None or find_tag(job.lake, tag_name(spec.model, found["version"])) is None:
        return None
    return {**found, "aliases": registry["aliases"]}


def _redactor(loaded: Loaded) -> Redactor:
    public = loaded.experiment.config
    stages = [(s.params, public["stages"][s.name].get("params")) for s in loaded.experiment.stages]
    return Redactor([*stages, (loaded.lake, public["lake"]), (loaded.tracker, public["tracker"])])


def _describe_external(
    experiment: Experiment, sources: Sources, signatures: Mapping[str, Signature]
) -> dict[str, dict[str, Any]]:
    """Say what each external input is, by URI. Raises `ConfigError` for all that are missing."""
    told: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for stage in experiment.stages:
        for argument, uri in stage.external_inputs().items():
            try:
                told[uri] = told.get(uri) or sources.describe(uri)
                if told[uri].get("version", 1) is None and signatures[stage.name].requires(argument):
                    found = f"{uri} names no version yet, and {stage.call} needs '{argument}'"
                    problems.append(
                        Problem(f"stages.{stage.name}.inputs.{argument}", found, "publish one first")
                    )
            except SourceNotFound as error:
                problems.append(error.as_problem(_written_at(experiment, stage, argument, uri)))
            except StageError as error:
                raise StageFailed(stage.name, error) from error
    if problems:
        raise ConfigError(problems)
    return told


def _written_at(experiment: Experiment, stage: StageSpec, argument: str, uri: str) -> str:
    """Return the key to change for another input: the data set's, where its value is that of one."""
    dataset = experiment.config.get("dataset") or {}
    keys = (f"dataset.{key}" for key, value in dataset.items() if value == uri)
    return next(keys, f"stages.{stage.name}.inputs.{argument}")


def _keep_code(code: CodeStore, index: CodeIndex, key: Key) -> None:
    for module, digest in key.parts["code"].items():
        code.put(digest, index.definitions(module))


def _make_key(index: CodeIndex, loaded: Loaded, spec: StageSpec, inputs: Mapping[str, str]) -> Key:
    params = loaded.experiment.config["stages"][spec.name].get("params") or {}
    return make_key(index, spec, params, loaded.signatures[spec.name], inputs, loaded.experiment.seed)


def _looking_once(find: FindResult) -> FindResult:
    """Return the same, which asks the lake once for each key: several plans of one moment share it."""
    found: dict[str, StageResult | None] = {}

    def look(spec: StageSpec, key: Key) -> StageResult | None:
        if key.value not in found:
            found[key.value] = find(spec, key)
        return found[key.value]

    return look


def _find_result(cache_files: StageCache, lake: LakeStore, spec: StageSpec, key: Key) -> StageResult | None:
    record = cache_files.get(key.value)
    if record is None:
        return None
    try:
        result = StageResult.from_json(record)
    except (KeyError, TypeError):
        return None
    if not set(spec.outputs) <= set(result.outputs):
        return None
    there = all(artifact_is_there(lake, artifact) for artifact in result.outputs.values())
    return result if there else None


def build_tracker(node: Mapping[str, Any]) -> Tracker:
    tracker: Tracker = build_node(node)
    return tracker


@cache
def codecs() -> tuple[Codec, ...]:
    """Return the codecs, in the order in which they are asked whether they store a value."""
    from headrace.adapters.codec_array import ArrayCodec
    from headrace.adapters.codec_estimator import EstimatorCodec
    from headrace.adapters.codec_figure import FigureCodec
    from headrace.adapters.codec_files import FilesCodec
    from headrace.adapters.codec_json import JsonCodec
    from headrace.adapters.codec_package import PackageCodec
    from headrace.adapters.codec_table import TableCodec

    estimators = EstimatorCodec()
    # A dict of figures is one, and no JSON.
    tables = (TableCodec(), ArrayCodec(), FigureCodec(), JsonCodec())
    return (*tables, PackageCodec(estimators), estimators, FilesCodec())
