"""What the config says of a sweep: its objective, its search, its budget and its workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from omegaconf import DictConfig, OmegaConf

from headrace.config.schema import CLUSTERS, RuntimeNode, SweepNode
from headrace.config.typed import typed_node
from headrace.core.sweep import Direction, guess_direction
from headrace.errors import ConfigError, Problem, did_you_mean

# OmegaConf reads these annotations at run time, and knows Optional[...] but not every `X | None`.


@dataclass
class LauncherNode:
    """Where the jobs of a sweep run, at `hydra.launcher`."""

    _target_: str = "hydra_plugins.headrace_launcher.HeadraceLauncher"
    mode: str = "workers"  # or deployment: jobs become runs of a Prefect deployment
    n_jobs: Optional[int] = None  # noqa: UP045  # side by side; null: one a core, eight at most
    on_failure: str = "continue"  # or stop: start no job after one has failed
    gpus_per_job: Optional[int] = None  # noqa: UP045  # null: every job sees all
    deployment: Optional[str] = None  # noqa: UP045  # <flow>/<name>, for mode=deployment
    wait: bool = True  # false: leave once the jobs of a deployment are submitted
    host: str = "127.0.0.1"  # where jobs report interim scores to; workers elsewhere must reach it


@dataclass
class SweeperNode:
    """What the jobs of a sweep are, at `hydra.sweeper`. Without a sampler they are a grid."""

    _target_: str = "hydra_plugins.headrace_sweeper.HeadraceSweeper"
    _recursive_: bool = False  # else Hydra builds sampler and pruner, without seed and search space
    params: dict[str, Any] = field(default_factory=dict)  # the space, in the grammar of overrides
    # Any, because Hydra cannot put a mapping where an Optional[dict] is None.
    sampler: Any = None  # a node such as optuna.samplers.TPESampler
    pruner: Any = None  # a node such as optuna.pruners.HyperbandPruner
    n_trials: Optional[int] = None  # noqa: UP045  # null: as many as the budget of time or the grid allows
    minutes: Optional[float] = None  # noqa: UP045  # start no trial after that
    seed: Optional[int] = None  # noqa: UP045  # of the sampler; null: the experiment's


ON_FAILURE = ("continue", "stop")
PUBLISH = ("none", "best", "all")
MODES = ("workers", "deployment")
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """A checked `SweepNode`, `LauncherNode` and `SweeperNode`."""

    objective: Mapping[str, Direction]
    publish: str
    launcher: LauncherNode
    sweeper: SweeperNode
    runtime: RuntimeNode
    seed: int

    @property
    def is_search(self) -> bool:
        return self.sweeper.sampler is not None


def load_sweep_settings(cfg: DictConfig) -> SweepSettings:
    """Check what a config with its `hydra` node says of a sweep. Raises `ConfigError` with every problem."""
    problems: list[Problem] = []
    node = _plain(cfg, "sweep") or {}
    typed = typed_node(SweepNode, "sweep", node, problems) or SweepNode()
    launcher = typed_node(LauncherNode, "hydra.launcher", _plain(cfg, "hydra.launcher"), problems)
    sweeper = typed_node(SweeperNode, "hydra.sweeper", _plain(cfg, "hydra.sweeper"), problems)
    launcher, sweeper = launcher or LauncherNode(), sweeper or SweeperNode()
    objective = _load_objective(typed.objective, problems)
    _check_words(typed, launcher, problems)
    _check_numbers(launcher, sweeper, problems)
    runtime = typed_node(RuntimeNode, "runtime", _plain(cfg, "runtime") or {}, []) or RuntimeNode()
    _check_place(typed, launcher, sweeper, runtime, problems)
    if sweeper.sampler is not None and not objective and not problems:
        found = "a search needs one: the metric that says which trial is best"
        problems.append(Problem("sweep.objective", found, "type: sweep.objective=accuracy"))
    if typed.publish == "best" and not objective:
        found = "the best by what? There is no sweep.objective"
        problems.append(Problem("sweep.publish", found, "type: sweep.objective=accuracy"))
    if problems:
        raise ConfigError(problems)
    seed = cfg.get("seed")
    return SweepSettings(
        objective=objective,
        publish=typed.publish,
        launcher=launcher,
        sweeper=sweeper,
        runtime=runtime,
        seed=sweeper.seed if sweeper.seed is not None else seed if isinstance(seed, int) else 0,
    )


def load_launcher(cfg: DictConfig) -> LauncherNode:
    """Check `hydra.launcher`, of any app. Raises `ConfigError` with every problem."""
    problems: list[Problem] = []
    node = _plain(cfg, "hydra.launcher")
    launcher: LauncherNode = typed_node(LauncherNode, "hydra.launcher", node, problems) or LauncherNode()
    _check_numbers(launcher, SweeperNode(), problems)
    if launcher.mode != "workers":
        found = f"'{launcher.mode}' is for headrace's own flows"
        problems.append(Problem("hydra.launcher.mode", found, "type: hydra.launcher.mode=workers"))
    if problems:
        raise ConfigError(problems)
    return launcher


def _plain(cfg: DictConfig, key: str) -> Any:
    node = OmegaConf.select(cfg, key)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _load_objective(node: Any, problems: list[Problem]) -> dict[str, Direction]:
    """Return the way that is better by metric: of a name, of several, or as a mapping says it."""
    where = "sweep.objective"
    if node is None:
        return {}
    if isinstance(node, str):
        node = [node]
    if isinstance(node, Sequence) and all(isinstance(name, str) for name in node):
        return {name: guess_direction(name) for name in node}
    if not isinstance(node, Mapping):
        problems.append(Problem(where, f"{node!r} names no metric", f"type: {where}=accuracy"))
        return {}
    for name, direction in node.items():
        if direction not in DIRECTIONS:
            hint = did_you_mean(str(direction), DIRECTIONS, f"{where}.{name}={{}}")
            problems.append(Problem(f"{where}.{name}", f"'{direction}' is no direction", hint))
    return {str(name): direction for name, direction in node.items() if direction in DIRECTIONS}


def _check_words(sweep: SweepNode, launcher: LauncherNode, problems: list[Problem]) -> None:
    for where, word, allowed in (
        ("sweep.publish", sweep.publish, PUBLISH),
        ("hydra.launcher.on_failure", launcher.on_failure, ON_FAILURE),
        ("hydra.launcher.mode", launcher.mode, MODES),
    ):
        if word not in allowed:
            problems.append(
                Problem(where, f"there is no '{word}'", did_you_mean(word, allowed, f"{where}={{}}"))
            )
    name = launcher.deployment
    if launcher.mode == "deployment" and (name is None or not all(name.partition("/"))):
        found = "has no value" if name is None else f"'{name}' is no <flow>/<name>"
        hint = "type: hydra.launcher.deployment=<flow>/<name>; `prefect deployment ls` lists them"
        problems.append(Problem("hydra.launcher.deployment", found, hint))
    if launcher.mode == "workers" and name is not None:
        hint = "type: hydra.launcher.mode=deployment"
        problems.append(Problem("hydra.launcher.deployment", "is of no use to mode=workers", hint))


def _check_place(
    sweep: SweepNode,
    launcher: LauncherNode,
    sweeper: SweeperNode,
    runtime: RuntimeNode,
    problems: list[Problem],
) -> None:
    """Check that what was asked for can be had where the jobs run."""

    def refuse(where: str, found: str, hint: str = "leave it out") -> None:
        problems.append(Problem(f"hydra.{where}", found, hint))

    away = launcher.mode == "deployment"
    if launcher.gpus_per_job is not None and (away or runtime.kind in CLUSTERS):
        place = "a deployment" if away else runtime.kind
        hint = "leave it out, and start each worker with the CUDA_VISIBLE_DEVICES that it is to have"
        found = f"only workers of this machine can be given GPUs, not those of {place}"
        refuse("launcher.gpus_per_job", found, hint)
    if not away:
        if runtime.kind in CLUSTERS and None not in (launcher.n_jobs, runtime.n_workers):
            found = f"a cluster on this machine has one job for each of its {runtime.n_workers} workers"
            refuse("launcher.n_jobs", found, "leave it out, or runtime.n_workers")
        if not launcher.wait:
            found = "only the runs of a deployment go on when this command has left"
            refuse("launcher.wait", found, "type: hydra.launcher.mode=deployment")
        return
    if runtime.kind not in ("local", "cloud"):
        found = (
            f"runtime={runtime.kind} does not go with hydra.launcher.mode=deployment: it needs Prefect's API"
        )
        problems.append(Problem("runtime.kind", found, "type: runtime=cloud, or runtime=local"))
    if sweeper.pruner is not None:
        found = "runs of a deployment report no interim scores: the address for that must be kept from others"
        refuse("sweeper.pruner", found, "type: hydra.sweeper.pruner=null")
    if not launcher.wait and sweeper.sampler is not None:
        found = "a search needs results to go on"
        refuse("launcher.wait", found, "type: hydra.launcher.wait=true")
    if not launcher.wait and launcher.on_failure == "stop":
        refuse("launcher.on_failure", "nobody waits for a failure", "type: hydra.launcher.wait=true")
    if not launcher.wait and launcher.n_jobs is not None:
        refuse("launcher.n_jobs", "with wait=false all jobs are submitted at once")


def _check_numbers(launcher: LauncherNode, sweeper: SweeperNode, problems: list[Problem]) -> None:
    for where, value, least in (
        ("hydra.launcher.n_jobs", launcher.n_jobs, 1),
        ("hydra.launcher.gpus_per_job", launcher.gpus_per_job, 1),
        ("hydra.sweeper.n_trials", sweeper.n_trials, 1),
    ):
        if value is not None and value < least:
            problems.append(Problem(where, f"{value} is below {least}", f"type: {where}={least}"))
    if sweeper.minutes is not None and not sweeper.minutes > 0:
        problems.append(
            Problem(
                "hydra.sweeper.minutes", f"{sweeper.minutes} is no time", "type: hydra.sweeper.minutes=30"
            )
        )
