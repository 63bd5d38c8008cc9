"""The config of a service, `conf/serve.yaml`: its shape, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any

from omegaconf import MISSING, DictConfig

from headrace.config.resolve import resolve
from headrace.config.typed import typed_node, unknown_keys
from headrace.core.serving import ENGINES
from headrace.errors import ConfigError, Problem, did_you_mean


@dataclass
class LogNode:
    """What is kept of predictions, at `log`."""

    on: bool = True
    sample: float = 1.0  # share of the requests
    inputs: bool = True  # the rows too, without private columns
    queue_rows: int = 100_000  # that wait to be written; more are counted and dropped
    commit_seconds: float = 60.0
    commit_rows: int = 50_000


@dataclass
class CanaryNode:
    """When a canary is sent away, and what it must have shown to be promoted, at `canary`."""

    min_requests: int = 100
    max_error_rate: float = 0.01
    max_latency_ratio: float = 2.0  # of its median to that of the stable version


@dataclass
class ServeNode:
    """The whole."""

    model: Any = MISSING  # NAME, NAME@ALIAS, NAME/VERSION, or a list of these
    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free
    workers: int = 1  # processes
    engine: str = "native"  # or onnx
    max_body_bytes: int = 16_777_216
    max_rows: int = 100_000  # of one request
    max_batch_rows: int = 16384  # of several requests that are answered together
    max_waiting: int = 256  # requests of one model; more are told to come back
    watch_seconds: float = 1.0  # between two looks for new versions
    stop_seconds: float = 30.0  # for what is under way when the service stops
    insecure: bool = False  # true: answer the network without a token
    allow_origins: list[str] = field(default_factory=list)  # of browsers (CORS)
    routing_header: str = "x-routing-key"  # requests with the same value meet the same version
    drift_rows: int = 1000  # of the newest, whose drift is measured
    log: LogNode = field(default_factory=LogNode)
    canary: CanaryNode = field(default_factory=CanaryNode)


_SHARES = ("sample", "max_error_rate")
_ABOVE_ZERO = (
    "workers max_body_bytes max_rows max_batch_rows max_waiting watch_seconds stop_seconds drift_rows "
    "queue_rows commit_seconds commit_rows min_requests max_latency_ratio"
).split()


def load_serve(cfg: DictConfig, token: str | None, problems: list[Problem]) -> ServeNode:
    """Check the composed config of a service. Raises `ConfigError` with every problem, and those before."""
    raw = {str(key): cfg._get_node(key) for key in cfg}
    problems += unknown_keys("", raw, [f.name for f in fields(ServeNode)])
    data = resolve(cfg, problems)
    log = typed_node(LogNode, "log", data.pop("log", {}), problems)
    canary = typed_node(CanaryNode, "canary", data.pop("canary", {}), problems)
    typed = typed_node(ServeNode, "", {k: v for k, v in data.items() if k in _KEYS}, problems)
    assert typed is not None
    for where, node in (("", typed), ("log.", log), ("canary.", canary)):
        problems += _check_numbers(where, node)
    problems += _check_words(typed, token)
    if problems:
        raise ConfigError(problems)
    typed.log, typed.canary = log, canary
    typed.model = [typed.model] if isinstance(typed.model, str) else list(typed.model)
    return typed  # type: ignore[no-any-return]


_KEYS = {f.name for f in fields(ServeNode)}


def _check_numbers(where: str, node: Any) -> list[Problem]:
    problems = []
    for name in (f.name for f in fields(node)) if node is not None else ():
        value, key = getattr(node, name), f"{where}{name}"
        if name in _SHARES and not 0 <= value <= 1:
            problems.append(Problem(key, f"{value} is no share", "use a number from 0 to 1"))
        elif name in _ABOVE_ZERO and value <= 0:
            problems.append(Problem(key, f"{value} is not above zero", f"type: {key}=1"))
        elif name == "port" and not 0 <= value <= 65535:
            problems.append(Problem(key, f"{value} is no port", "use 0 to 65535; 0 is any that is free"))
    return problems


def _check_words(node: ServeNode, token: str | None) -> list[Problem]:
    problems = []
    names = [node.model] if isinstance(node.model, str) else node.model
    if names == [MISSING]:
        pass  # told already
    elif not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        problems.append(Problem("model", f"{node.model!r} names no models", "type: model=NAME@production"))
    if node.engine not in ENGINES:
        hint = did_you_mean(node.engine, ENGINES, "engine={}")
        problems.append(Problem("engine", f"there is no engine '{node.engine}'", hint))
    if not token and not node.insecure and not is_loopback(node.host):
        found = f"{node.host} can be reached from other machines, and HEADRACE_SERVE_TOKEN is not set"
        hint = "set it to a secret that requests must bear, or type: insecure=true"
        problems.append(Problem("host", found, hint))
    return problems


def is_loopback(host: str) -> bool:
    """Tell whether an address is one of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def as_mapping(node: ServeNode) -> Mapping[str, Any]:
    """Return the fields of a node by their names."""
    return {f.name: getattr(node, f.name) for f in fields(node)}
