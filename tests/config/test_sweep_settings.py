"""What a config may say of a sweep, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from headrace.config.sweep_settings import LauncherNode, SweeperNode, load_launcher, load_sweep_settings
from headrace.errors import ConfigError

SAMPLER = {"_target_": "optuna.samplers.RandomSampler"}


def config(**changes: Any) -> DictConfig:
    """Return what Hydra composes, with changes by dotted key, of which `__` is the dot."""
    cfg = OmegaConf.create(
        {
            "seed": 42,
            "sweep": {"objective": None, "publish": "none"},
            "runtime": {"kind": "local"},
            "hydra": {
                "launcher": OmegaConf.structured(LauncherNode),
                "sweeper": OmegaConf.structured(SweeperNode),
            },
        }
    )
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value)
    return cfg


def test_defaults() -> None:
    """Nothing said is a grid without an objective that publishes nothing, on workers."""
    found = load_sweep_settings(config())
    assert (dict(found.objective), found.publish, found.is_search, found.seed) == ({}, "none", False, 42)
    assert (found.launcher.mode, found.launcher.n_jobs, found.launcher.on_failure) == (
        "workers",
        None,
        "continue",
    )


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        ("accuracy", {"accuracy": "maximize"}),
        ("log_loss", {"log_loss": "minimize"}),
        (["accuracy", "fit_seconds"], {"accuracy": "maximize", "fit_seconds": "minimize"}),
        ({"log_loss": "maximize", "x": "minimize"}, {"log_loss": "maximize", "x": "minimize"}),
    ],
)
def test_objectives(objective: Any, wanted: dict[str, str]) -> None:
    """A name, several, or a mapping, which says the direction that others are guessed by; order counts."""
    found = load_sweep_settings(config(sweep__objective=objective)).objective
    assert list(found.items()) == list(wanted.items())


def test_seeds() -> None:
    """The search's own seed counts, then the experiment's, then 0."""
    assert load_sweep_settings(config(hydra__sweeper__seed=7)).seed == 7
    assert load_sweep_settings(config(seed=None)).seed == 0


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"sweep__objective": 5}, "sweep.objective: 5 names no metric", "sweep.objective=accuracy"),
    ({"sweep__objective": {"x": "maximise"}}, "'maximise' is no direction", "sweep.objective.x=maximize"),
    ({"sweep__publish": "bst"}, "sweep.publish: there is no 'bst'", "sweep.publish=best"),
    ({"sweep__publish": "best"}, "the best by what?", "sweep.objective=accuracy"),
    ({"hydra__sweeper__sampler": SAMPLER}, "a search needs one", "sweep.objective=accuracy"),
    ({"hydra__launcher__on_failure": "stpo"}, "there is no 'stpo'", "hydra.launcher.on_failure=stop"),
    ({"hydra__launcher__n_jobs": 0}, "hydra.launcher.n_jobs: 0 is below 1", "hydra.launcher.n_jobs=1"),
    ({"hydra__launcher__gpus_per_job": -1}, "gpus_per_job: -1 is below 1", "gpus_per_job=1"),
    ({"hydra__sweeper__n_trials": 0}, "hydra.sweeper.n_trials: 0 is below 1", "n_trials=1"),
    ({"hydra__sweeper__minutes": 0}, "hydra.sweeper.minutes: 0.0 is no time", "minutes=30"),
    ({"hydra__sweeper__minutes": float("nan")}, "minutes: nan is no time", "minutes=30"),
    (
        {"hydra__launcher__wait": False},
        "hydra.launcher.wait: only the runs of a deployment",
        "mode=deployment",
    ),
    ({"hydra__launcher__deployment": "a/b"}, "is of no use to mode=workers", "mode=deployment"),
    (
        {"hydra__launcher__n_jobs": 2, "runtime__kind": "dask", "runtime__n_workers": 4},
        "one job for each of its 4 workers",
        "leave it out, or runtime.n_workers",
    ),
    (
        {"hydra__launcher__gpus_per_job": 1, "runtime__kind": "ray"},
        "not those of ray",
        "CUDA_VISIBLE_DEVICES",
    ),
]
AWAY = {"hydra__launcher__mode": "deployment", "hydra__launcher__deployment": "train/main"}
WRONG_AWAY: list[tuple[dict[str, Any], str, str]] = [
    ({"hydra__launcher__deployment": None}, "hydra.launcher.deployment: has no value", "<flow>/<name>"),
    ({"hydra__launcher__deployment": "train"}, "'train' is no <flow>/<name>", "<flow>/<name>"),
    ({"runtime__kind": "inline"}, "runtime=inline does not go with", "runtime=cloud"),
    ({"hydra__launcher__gpus_per_job": 1}, "not those of a deployment", "CUDA_VISIBLE_DEVICES"),
    (
        {"hydra__sweeper__pruner": {"_target_": "optuna.pruners.MedianPruner"}},
        "report no interim scores",
        "hydra.sweeper.pruner=null",
    ),
    (
        {"hydra__launcher__wait": False, "hydra__sweeper__sampler": SAMPLER, "sweep__objective": "x"},
        "a search needs results",
        "wait=true",
    ),
    (
        {"hydra__launcher__wait": False, "hydra__launcher__on_failure": "stop"},
        "nobody waits for a failure",
        "wait=true",
    ),
    (
        {"hydra__launcher__wait": False, "hydra__launcher__n_jobs": 2},
        "all jobs are submitted at once",
        "leave it out",
    ),
]


@pytest.mark.parametrize(
    ("changes", "found", "hint"), [*WRONG, *((AWAY | changes, *rest) for changes, *rest in WRONG_AWAY)]
)
def test_what_cannot_be(changes: dict[str, Any], found: str, hint: str) -> None:
    """One mistake is one problem, with its key and what to type."""
    with pytest.raises(ConfigError) as caught:
        load_sweep_settings(config(**changes))
    (problem,) = caught.value.problems
    assert found in str(problem)
    assert hint in problem.hint


def test_all_at_once() -> None:
    """Every problem is told, of the sweep, the launcher and the sweeper."""
    with pytest.raises(ConfigError) as caught:
        load_sweep_settings(config(sweep__publish="x", hydra__launcher__n_jobs=0, hydra__sweeper__n_trials=0))
    assert len(caught.value.problems) == 3


def test_a_deployment_needs_no_more() -> None:
    """What may be said of one is right."""
    assert load_sweep_settings(config(**AWAY, hydra__launcher__wait=False)).launcher.mode == "deployment"


def test_the_launcher_of_any_app() -> None:
    """Another app's jobs run on workers only, as many as it says."""
    assert load_launcher(config(hydra__launcher__n_jobs=3)).n_jobs == 3
    for changes in ({"hydra__launcher__n_jobs": 0}, {"hydra__launcher__mode": "deployment"}):
        with pytest.raises(ConfigError):
            load_launcher(config(**changes))
