"""The shape of a composed config. Whatever does not fit is an error, wherever it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from omegaconf import MISSING

# OmegaConf reads these annotations at run time, and knows Optional[...] but not every `X | None`.


@dataclass
class StageNode:
    """One stage, at `stages.<name>`."""

    call: str = MISSING  # importable function
    params: dict[str, Any] = field(default_factory=dict)  # arguments: values, or nodes with _target_
    # argument: artifact, or package:/file:/lake:/model: URI; null: the argument's default
    inputs: dict[str, Optional[str]] = field(default_factory=dict)  # noqa: UP045
    outputs: dict[str, str] = field(default_factory=dict)  # returned name: artifact
    retries: int = 0  # attempts after the first
    retry_delay_seconds: list[float] = field(default_factory=list)  # before each retry; the last repeats
    timeout_seconds: Optional[float] = None  # noqa: UP045
    cache: bool = True  # false: execute every time
    depends_on: list[str] = field(default_factory=list)  # modules reached by imports that cannot be followed


@dataclass
class PublishNode:
    """What a good run publishes, at `publish`."""

    model: str = MISSING  # name in the registry
    package: str = "model"  # artifact that becomes the model's next version
    gate: Optional[str] = "gate"  # noqa: UP045  # artifact that must say `passed`
    alias: str = "production"  # alias that moves to the new version


CLUSTERS = ("dask", "ray")  # kinds of runtimes that run the jobs of a sweep on other machines


@dataclass
class RuntimeNode:
    """How stages execute, at `runtime`."""

    kind: str = "local"  # local, cloud, inline, dask or ray
    max_workers: Optional[int] = None  # noqa: UP045  # stages side by side; null: the runtime's choice
    address: Optional[str] = None  # noqa: UP045  # of a cluster for sweeps; null: one on this machine
    n_workers: Optional[int] = None  # noqa: UP045  # of that one; null: as many as jobs side by side


@dataclass
class SweepNode:
    """What a sweep (`-m`) is to come to, at `sweep`; `hydra.sweeper` says what its jobs are."""

    objective: Any = None  # metric that says which job is best, or {metric: maximize, ...}
    publish: str = "none"  # best: the best one, through the gate; all: every job as if it ran alone
    leave_out: list[str] = field(default_factory=list)  # stages that only a run which publishes needs


@dataclass
class Root:
    """The whole."""

    name: str = MISSING  # of the experiment
    seed: int = 0
    headrace_dir: str = ".headrace"  # everything that headrace writes
    pipeline: str = MISSING
    source_ref: str = "main"  # lake ref that the run's branch starts from
    stop_after: Optional[str] = None  # noqa: UP045  # run this stage and what it needs; publish nothing
    only: Optional[str] = None  # noqa: UP045  # run this stage alone, on the inputs that it had in `run`
    run: Optional[str] = None  # noqa: UP045  # id of a past run
    leave_out: list[str] = field(default_factory=list)  # stages that do not run; who reads them does without
    force: list[str] = field(default_factory=list)  # stages that execute although their result is there
    cache: bool = True  # false: every stage executes
    against: Optional[str] = None  # noqa: UP045  # id of the run that reasons compare with; null: the newest
    stages: dict[str, StageNode] = field(default_factory=dict)
    publish: Optional[PublishNode] = None  # noqa: UP045  # null or false: leave the result on the run's branch
    dataset: dict[str, Any] = field(default_factory=dict)  # read by stages; `at`: the lake's state to read
    schema: dict[str, Any] = field(default_factory=dict)  # a Pandera schema
    model: dict[str, Any] = field(default_factory=dict)  # node with _target_
    lake: dict[str, Any] = field(default_factory=dict)  # node with _target_
    tracker: dict[str, Any] = field(default_factory=dict)  # node with _target_
    runtime: RuntimeNode = field(default_factory=RuntimeNode)
    sweep: SweepNode = field(default_factory=SweepNode)
    card: dict[str, Any] = field(
        default_factory=dict
    )  # of the model, for reports: intended_use, limits, owner
    vars: dict[str, Any] = field(default_factory=dict)  # one's own values, to interpolate
