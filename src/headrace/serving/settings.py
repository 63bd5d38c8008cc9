"""What a service is told when it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the prediction log keeps, and when it becomes a commit."""

    on: bool = True
    sample: float = 1.0  # share of the requests that are kept
    inputs: bool = True  # the rows too, without private columns
    queue_rows: int = 100_000  # that wait to be written; more are counted and dropped
    commit_seconds: float = 60.0
    commit_rows: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySettings:
    """When a canary is sent away, and what it must show to be promoted."""

    min_requests: int = 100
    max_error_rate: float = 0.01
    max_latency_ratio: float = 2.0  # of its median to that of the stable version


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Everything about a service; `models` are `NAME@ALIAS` or `NAME/VERSION`, the first has `/predict`."""

    models: Sequence[str]
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    engine: str = "native"  # or onnx, where the package has it
    max_body_bytes: int = 16 << 20
    max_rows: int = 100_000  # of one request
    max_batch_rows: int = 16384  # of several requests that are answered together
    max_waiting: int = 256  # requests of one model that wait; more are told 429
    watch_seconds: float = 1.0  # how often the lake is asked for new versions
    stop_seconds: float = 30.0  # for requests under way when the service is told to stop
    token: str | None = None  # a bearer token that requests must have
    allow_origins: Sequence[str] = ()  # of CORS
    routing_header: str = "x-routing-key"
    drift_rows: int = 1000  # of the newest rows, that the drift gauges compare
    log: LogSettings = field(default_factory=LogSettings)
    canary: CanarySettings = field(default_factory=CanarySettings)
    lake: Mapping[str, Any] = field(default_factory=dict)  # the node from which it is built
    headrace_dir: str = ".headrace"
