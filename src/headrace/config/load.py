"""Turn a composed config into specs. Every problem is found before anything runs, and told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from headrace.config.check import check_adapter, check_model_name, check_stage
from headrace.config.check_schema import check_schema
from headrace.config.inputs import leave_out, name_champion
from headrace.config.resolve import find_unread, public_config, resolve
from headrace.config.schema import CLUSTERS, PublishNode, Root, RuntimeNode, StageNode
from headrace.config.typed import typed_node, unknown_keys
from headrace.core.choice import Options
from headrace.core.code import CodeIndex
from headrace.core.graph import Graph, build_graph
from headrace.core.plan import all_external
from headrace.core.signature import Signature
from headrace.core.spec import CHAMPION, Experiment, PublishSpec, StageSpec
from headrace.core.time_travel import WHERE
from headrace.errors import ConfigError, Problem, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A checked config: what to run, and the nodes from which its adapters are built."""

    experiment: Experiment
    graph: Graph
    signatures: Mapping[str, Signature]  # by stage
    options: Options
    at: str | None  # the state of the lake that is read; None: the head of the experiment's source_ref
    headrace_dir: str
    lake: Mapping[str, Any]
    tracker: Mapping[str, Any]
    runtime_kind: str
    max_workers: int | None  # None: the runtime's choice


def load_config(cfg: DictConfig, index: CodeIndex) -> Loaded:
    """Check a composed config and parse it. Raises `ConfigError` with every problem."""
    raw = {str(key): cfg._get_node(key) for key in cfg}
    problems = list(unknown_keys("", raw, [f.name for f in fields(Root)]))
    data = resolve(cfg, problems)
    problems += find_unread(cfg)
    stages, signatures = _load_stages(cfg, data, index, problems)
    for name in ("lake", "tracker"):
        problems += check_adapter(index, name, data.get(name))
    problems += check_schema("schema", data.get("schema"))
    at = _load_at(data, stages, problems)
    written = _written_at(cfg._get_node("publish", validate_access=False))
    left_out = _load_names(data, "leave_out", problems)
    stages = leave_out(stages, left_out, signatures, problems)
    publish = _load_publish(data, written, stages, problems)
    stages = name_champion(stages, publish, signatures, problems)
    runtime = _load_runtime(data, problems)
    graph: Graph | None = None
    try:
        graph = build_graph(stages)
    except ConfigError as error:
        # What has no value is told once, where it is written, and not again by what reads it.
        problems += [problem for problem in error.problems if MISSING not in problem.found]
    root = _load_root(data, problems)
    options = _load_options(data, [stage.name for stage in stages], problems)
    if problems or graph is None:
        raise ConfigError(problems)
    experiment = Experiment(
        name=root["name"],
        pipeline=root["pipeline"],
        seed=root["seed"],
        stages=tuple(stages),
        publish=publish,
        source_ref=root["source_ref"],
        config=public_config(cfg, data),
    )
    return Loaded(
        experiment=experiment,
        graph=graph,
        signatures=signatures,
        options=options,
        at=at,
        headrace_dir=root["headrace_dir"],
        lake=data["lake"],
        tracker=data["tracker"],
        runtime_kind=runtime.kind,
        max_workers=runtime.max_workers,
    )


def _load_stages(
    cfg: DictConfig, data: Mapping[str, Any], index: CodeIndex, problems: list[Problem]
) -> tuple[list[StageSpec], dict[str, Signature]]:
    stages: list[StageSpec] = []
    signatures: dict[str, Signature] = {}
    nodes = data.get("stages")
    if not isinstance(nodes, Mapping) or not nodes:
        problems.append(Problem("stages", "there are none", "choose a pipeline, such as: pipeline=train"))
        return stages, signatures
    for name, node in nodes.items():
        where = f"stages.{name}"
        spec = _load_stage(name, where, node, [other for other in nodes if other != name], problems)
        if spec is None:
            continue
        stages.append(spec)
        raw = OmegaConf.select(cfg, f"{where}.params")
        signature, found = check_stage(index, spec, where, _written_at(raw))
        problems += found
        if signature is not None:
            signatures[name] = signature
    return stages, signatures


def _load_stage(
    name: str, where: str, node: Any, others: Iterable[str], problems: list[Problem]
) -> StageSpec | None:
    typed = typed_node(StageNode, where, node, problems)
    if typed is None:
        return None
    if typed.call == MISSING:
        problems.append(Problem(where, "has no call", did_you_mean(name, others, "stages.{}")))
        return None
    if typed.retries < 0:
        problems.append(
            Problem(f"{where}.retries", f"{typed.retries} is below zero", f"type: {where}.retries=0")
        )
    if typed.timeout_seconds is not None and typed.timeout_seconds <= 0:
        found = f"{typed.timeout_seconds} is not a time"
        problems.append(Problem(f"{where}.timeout_seconds", found, f"type: {where}.timeout_seconds=null"))
    if below := [delay for delay in typed.retry_delay_seconds if delay < 0]:
        path = f"{where}.retry_delay_seconds"
        mended = ",".join(f"{max(delay, 0):g}" for delay in typed.retry_delay_seconds)
        problems.append(Problem(path, f"{below[0]} is below zero", f"type: '{path}=[{mended}]'"))
    return StageSpec(
        name=name,
        call=typed.call,
        params=typed.params,
        inputs={argument: name for argument, name in typed.inputs.items() if name is not None},
        outputs=typed.outputs,
        retries=typed.retries,
        retry_delay_seconds=tuple(typed.retry_delay_seconds),
        timeout_seconds=typed.timeout_seconds,
        cache=typed.cache,
        depends_on=tuple(typed.depends_on),
    )


def _load_at(data: Mapping[str, Any], stages: Sequence[StageSpec], problems: list[Problem]) -> str | None:
    """Return `dataset.at`, which is refused where no stage reads the lake: it would do nothing."""
    dataset = data.get("dataset")
    at = dataset.get("at") if isinstance(dataset, Mapping) else None
    if at is None or at == MISSING:
        return None
    if not isinstance(at, str) or not at:
        # YAML has made a number of it, from which the text cannot be had back: 0123456 is 42798.
        found = f"{at!r} is not a string" if at != "" else "is empty"
        problems.append(Problem(WHERE, found, 'quote it in YAML, at: "1234567"; null is the newest state'))
        return None
    uris = [uri for uri in all_external(stages) if not uri.startswith((CHAMPION, "model:"))]
    if stages and not any(uri.startswith("lake:") for uri in uris):
        reads = f" ({', '.join(uris)})" if uris else ""
        found = f"no stage reads the lake, and what they read{reads} has no older state"
        hint = "type: dataset.source=lake:data/<name>.csv; `headrace lake import` brings data into the lake"
        problems.append(Problem(WHERE, found, hint))
    return at


def _load_publish(
    data: Mapping[str, Any], written_at: Mapping[str, str], stages: list[StageSpec], problems: list[Problem]
) -> PublishSpec | None:
    node = data.get("publish")
    if node is None or node is False:
        return None
    if not isinstance(node, Mapping):
        near = get_close_matches(str(node).lower(), ["false"], n=1)
        hint = "did you mean publish=false?" if near else "type: publish=false, or leave it out to publish"
        problems.append(Problem("publish", f"'{node}' is neither false nor says what to publish", hint))
        return None
    typed = typed_node(PublishNode, "publish", node, problems)
    if typed is None:
        return None
    artifacts = [artifact for stage in stages for artifact in stage.outputs.values()]
    for key in ("package", "gate"):
        wanted = getattr(typed, key)
        if wanted is not None and wanted not in artifacts:
            hint = did_you_mean(wanted, artifacts, f"publish.{key}={{}}")
            problems.append(Problem(f"publish.{key}", f"no stage makes '{wanted}'", hint))
    if "model" not in node:
        problems.append(Problem("publish.model", "has no value", "type: publish.model=<name>"))
    problems += check_model_name(written_at.get("model", "publish.model"), typed.model)
    return PublishSpec(model=typed.model, package=typed.package, gate=typed.gate, alias=typed.alias)


RUNTIME_KINDS = ("local", "cloud", "inline", *CLUSTERS)


def _load_runtime(data: Mapping[str, Any], problems: list[Problem]) -> RuntimeNode:
    typed: RuntimeNode | None = typed_node(RuntimeNode, "runtime", data.get("runtime", {}), problems)
    if typed is None:
        return RuntimeNode()
    if typed.kind not in RUNTIME_KINDS:
        hint = did_you_mean(typed.kind, RUNTIME_KINDS, "runtime={}")
        problems.append(Problem("runtime.kind", f"there is no runtime '{typed.kind}'", hint))
    if typed.max_workers is not None and typed.max_workers < 1:
        found = f"{typed.max_workers} is below 1"
        problems.append(Problem("runtime.max_workers", found, "type: runtime.max_workers=null"))
    _check_cluster(typed, problems)
    return typed


def _check_cluster(runtime: RuntimeNode, problems: list[Problem]) -> None:
    """Check what only a cluster has."""
    for key in ("address", "n_workers"):
        if getattr(runtime, key) is not None and runtime.kind not in CLUSTERS:
            found = f"runtime={runtime.kind} has none: it is for {' and '.join(CLUSTERS)}"
            problems.append(Problem(f"runtime.{key}", found, f"type: runtime.{key}=null"))
    if runtime.address is not None and runtime.n_workers is not None:
        found = f"the cluster at {runtime.address} has the workers that it has"
        hint = "leave it out; hydra.launcher.n_jobs says how many jobs run side by side"
        problems.append(Problem("runtime.n_workers", found, hint))
    if runtime.n_workers is not None and runtime.n_workers < 1:
        problems.append(Problem("runtime.n_workers", f"{runtime.n_workers} is below 1", "leave it out"))


def _load_root(data: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Check the plain values at the root: their types are in `Root`."""
    simple: dict[str, type] = {
        "name": str,
        "pipeline": str,
        "seed": int,
        "source_ref": str,
        "headrace_dir": str,
    }
    values = {f.name: f.default for f in fields(Root) if f.name in simple}
    for key, kind in simple.items():
        value = data.get(key, values[key])
        if value != MISSING and (not isinstance(value, kind) or isinstance(value, bool)):
            problems.append(Problem(key, f"{value!r} is not {_a(kind)}", f"type: {key}=<{kind.__name__}>"))
        values[key] = value
    if values["headrace_dir"] == "":  # `${headrace_dir}/lake` would be a folder at the root of the disk
        problems.append(Problem("headrace_dir", "is empty", "type: headrace_dir=.headrace"))
    return values


def _load_options(data: Mapping[str, Any], stages: list[str], problems: list[Problem]) -> Options:
    """Check what a command may ask beside its experiment."""
    forced = _load_names(data, "force", problems)
    texts = {key: data.get(key) for key in ("stop_after", "only", "run", "against")}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            problems.append(Problem(key, f"{value!r} is no name", f"type: {key}='\"<name>\"'"))
            texts[key] = None
    cache = data.get("cache", True)
    if not isinstance(cache, bool):
        problems.append(Problem("cache", f"{cache!r} is neither true nor false", "type: cache=false"))
        cache = True
    options = Options(**texts, force=tuple(forced), cache=cache)
    problems += options.problems(stages)
    return options


def _load_names(data: Mapping[str, Any], key: str, problems: list[Problem]) -> list[str]:
    """Return the stages that a key names; one may stand without brackets."""
    names = data.get(key)
    names = [names] if isinstance(names, str) else names or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        problems.append(Problem(key, f"{names!r} names no stages", f"type: '{key}=[train]'"))
        return []
    return names


def _a(kind: type) -> str:
    return {"str": "a string", "int": "an integer"}[kind.__name__]


def _written_at(params: Any) -> dict[str, str]:
    """Map params that are one interpolation (`${model}`) to the key where their value is written."""
    if not isinstance(params, DictConfig) or params._is_none() or params._is_missing():
        return {}
    found: dict[str, str] = {}
    for key in params:
        node = params._get_node(key)
        text = node._value() if node is not None and node._is_interpolation() else None
        if isinstance(text, str) and text.startswith("${") and ":" not in text and text.count("${") == 1:
            found[str(key)] = text[2:-1]
    return found
