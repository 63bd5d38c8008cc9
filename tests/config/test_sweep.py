"""The jobs of a sweep: their overrides, and their configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from headrace.config.compose import compose, open_conf
from headrace.config.folders import packaged_conf
from headrace.config.space import parse_space
from headrace.config.sweep import JobConfigs, compose_jobs, list_jobs, split_sweep
from headrace.config.sweep_settings import SweepSettings, load_sweep_settings
from headrace.core.code import CodeIndex
from headrace.errors import ConfigError
from headrace.sweeps.search import every_branch, open_search, write_point

PRIMARY = """
defaults: [_self_, model: line, rest: null]
name: tiny
seed: 1
headrace_dir: .headrace
vars: {x: 0}
twice: ${model}
"""
# Values, options of groups, new keys, and keys below what an option brings.
WORDS = (
    "seed=1", "seed=2", "model.C=5", "model=line", "model=forest", "++vars.y={a: 1}", "++vars.y={b: 2}",
    "++vars.x=3", "vars.x=[1,2]", "~vars.x", "rest=some", "++rest.a=4",
)  # fmt: skip
JOB = st.lists(st.sampled_from(WORDS), max_size=2, unique=True)


@pytest.fixture
def tiny(project: Path, conf: Callable[[Mapping[str, str]], None]) -> Path:
    """A config that Hydra composes quickly."""
    conf(
        {
            "tiny": PRIMARY,
            "model/line": "C: 1\nmax_iter: 10\n",
            "model/forest": "trees: 10\n",
            "rest/some": "a: 1\n",
        }
    )
    return project


def told(made: Callable[[], DictConfig]) -> Any:
    """Return a config as plain data, or what is wrong with it."""
    try:
        return OmegaConf.to_container(made(), resolve=False)
    except ConfigError as error:
        return str(error)


def assert_alike(jobs: Sequence[Sequence[str]]) -> None:
    """Compose the jobs one after the other, and each by itself."""
    configs = JobConfigs("tiny")
    for job in jobs:
        found = told(lambda words=list(job): configs.compose(words))  # type: ignore[misc]
        assert found == told(lambda words=job: compose("tiny", words)), job  # type: ignore[misc]


class TestJobConfigs:
    @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(jobs=st.lists(JOB, min_size=3, max_size=6))
    def test_each_job_is_what_hydra_composes(self, tiny: Path, jobs: list[list[str]]) -> None:
        """Whatever keys the jobs before have set, a job's config is the one of its own overrides alone."""
        assert_alike(jobs)

    @pytest.mark.parametrize(
        "jobs",
        [
            (["model.C=1"], ["model=forest"], ["model.C=2"], ["model.C=1"]),
            (["+vars.y=1"], ["seed=3"], ["+vars.z=1"], ["+vars.y=2", "+vars.z=2"], ["+vars.y=3"], []),
            (["model=forest", "+vars.y=1"], ["model=line"], ["+vars.y=1"], ["model=forest"]),
            (["+vars.y={a: 1}"], ["+vars.y={b: 1}"], ["+vars.z=[1,2]"], ["+vars.z=[3]"]),
            (["++vars.y={a: 1}"], ["++vars.y={b: 1}"], ["vars={q: 1}"], ["vars={r: 1}"]),
            (["vars.x=1"], ["vars.x=[1,2]"], ["vars.x={a: 1}"], ["vars.x=2"]),
            (["seed=1", "model.C=2"], ["model.C=3", "seed=4"], ["seed=5"]),
            (["rest=some"], ["rest=some", "rest.a=2"], ["~vars.x"], ["vars.x=3"]),
            (["model.C=1"], ["model.no_such=1"], ["model.C=2"], ["model=no_such"], ["model.C=3"]),
        ],
    )
    def test_jobs_with_other_keys(self, tiny: Path, jobs: tuple[list[str], ...]) -> None:
        """A value, an option, a new key, a mapping or an error of one job does not show in the next."""
        assert_alike(jobs)

    def test_what_hydra_says_of_a_job_is_that_jobs(self, tiny: Path) -> None:
        """`HydraConfig` has the choices of the job that was composed last, also of an earlier composition."""
        configs = JobConfigs("tiny")
        for model in ("forest", "line", "forest"):
            configs.compose([f"model={model}"])
            assert HydraConfig.get().runtime.choices["model"] == model

    def test_one_after_the_other(self, tiny: Path) -> None:
        """`compose_jobs` yields each job with its own config."""
        jobs = [["model.C=1"], ["model.C=2"]]
        assert [(words, cfg.twice.C) for words, cfg in compose_jobs("tiny", jobs)] == [
            (jobs[0], 1), (jobs[1], 2),
        ]  # fmt: skip


class TestListJobs:
    def test_a_grid_of_params_and_command_line(self) -> None:
        """Params of the file and words with commas multiply; of one key the command line's word counts."""
        params = {"model.C": "1,2", "seed": "range(3)", "+vars.x": 7}
        found = list_jobs(params, ["+experiment=toy", "seed=4,5"])
        assert found == [
            ["model.C=1", "+vars.x=7", "+experiment=toy", "seed=4"],
            ["model.C=1", "+vars.x=7", "+experiment=toy", "seed=5"],
            ["model.C=2", "+vars.x=7", "+experiment=toy", "seed=4"],
            ["model.C=2", "+vars.x=7", "+experiment=toy", "seed=5"],
        ]

    def test_params_under_a_condition(self) -> None:
        """A mapping below `key=value` belongs to the jobs that have it."""
        params = {"model": "a,b", "model=b": {"model.depth": "range(1,3)"}}
        assert list_jobs(params, ["seed=1"]) == [
            ["seed=1", "model=a"],
            ["seed=1", "model=b", "model.depth=1"],
            ["seed=1", "model=b", "model.depth=2"],
        ]

    def test_without_anything_to_sweep_there_is_one_job(self) -> None:
        """`-m` alone runs the command as one job."""
        assert list_jobs({}, ["seed=1"]) == [["seed=1"]]


class TestSplitSweep:
    def test_a_glob_takes_the_options_of_its_group(self, project: Path) -> None:
        """As in Hydra's own sweeper, in the order of names."""
        assert split_sweep(["model=glob(r*)"]) == [["model=random_forest"], ["model=ridge"]]

    @pytest.mark.parametrize("value", ["interval(0.1,1)", "tag(log, interval(0.1, 1))"])
    def test_a_grid_cannot_list_an_interval(self, project: Path, value: str) -> None:
        """It is a config error that says what to type, on the command line and in a file."""
        for params, words in (({}, [f"++model.C={value}", "seed=1,2"]), ({"model.C": value}, ["seed=1,2"])):
            with pytest.raises(ConfigError) as caught:
                list_jobs(params, words)
            (problem,) = caught.value.problems
            assert problem.where == "model.C"
            assert "+sweep=tpe" in problem.hint

    def test_an_interval_beside_another_mistake(self, project: Path) -> None:
        """What does not parse is told, and the interval is no other mistake."""
        with pytest.raises(ConfigError, match="seed"):
            split_sweep(["+experiment=breast_cancer", "model.C=interval(0.1,1)", "seed=[1"])


def load_settings(words: Sequence[str]) -> SweepSettings:
    """Read what a sweep's own config says, with the `hydra` node that Hydra gives to a sweeper."""
    with open_conf():
        cfg = hydra.compose("train", overrides=list(words), return_hydra_config=True)
    return load_sweep_settings(cfg)


def names(pattern: str) -> list[str]:
    return sorted(file.stem for file in packaged_conf().glob(pattern))


class TestFiles:
    @pytest.mark.parametrize("experiment", names("experiment/*_search.yaml"))
    @pytest.mark.parametrize("sweep", [name for name in names("sweep/*.yaml") if name != "grid"])
    def test_every_search_opens(self, project: Path, sweep: str, experiment: str) -> None:
        """Each search file goes with each space: sampler and pruner are built, and a point composes."""
        words = [f"+experiment={experiment}", f"+sweep={sweep}"]
        found = load_settings(words)
        assert found.objective == {"accuracy": "maximize"}
        space, fixed = parse_space(found.sweeper.params, words)
        opened = open_search(found, space, CodeIndex(lambda kind, file, compute: compute()))
        assert opened.total == found.sweeper.n_trials
        first = opened.search.ask()
        assert first is not None
        assert list(first.params) == list(space.domains)
        assert opened.search.report(0, 1, 0.5) is False
        opened.search.tell(0, "complete", [0.5])
        configs = JobConfigs("train")
        for point in (first.params, *every_branch(space)):
            made = configs.compose([*fixed, *write_point(point)])
            assert {key: OmegaConf.select(made, key) for key in point} == point

    def test_the_grid_takes_values(self, project: Path) -> None:
        """`+sweep=grid` asks no sampler, and has an objective."""
        found = load_settings(["+experiment=breast_cancer", "+sweep=grid"])
        assert not found.is_search
        assert found.objective == {"accuracy": "maximize"}

    def test_every_file_is_tried(self) -> None:
        """There are searches and spaces to try."""
        assert {"grid", "tpe"} <= set(names("sweep/*.yaml"))
        assert names("experiment/*_search.yaml")
