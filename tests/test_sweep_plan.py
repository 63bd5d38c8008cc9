"""A sweep planned as a whole, and the configs of its jobs."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from headrace.assemble import prepare
from headrace.config.compose import compose
from headrace.config.sweep import compose_jobs, split_sweep
from headrace.core.secrets import without_secrets
from headrace.errors import ConfigError
from headrace.sweep_plan import PlannedJob, SweepPlan, plan_jobs, plan_sweep
from tests.toy import Toy, toy

__all__ = ["toy"]

BASE = ["+experiment=toy", "pipeline=bare"]


def plan(*overrides: str) -> SweepPlan:
    return plan_sweep(list(plan_jobs("train", split_sweep([*BASE, *overrides]), flow="train")))


def load_each(*overrides: str) -> list[PlannedJob]:
    """Plan every job from a config that Hydra composed for it alone."""
    jobs = []
    for words in split_sweep([*BASE, *overrides]):
        prepared = prepare(compose("train", words), words, flow="train", dry=True)
        order = prepared.job.graph.order
        uncached = [spec.name for spec in order if not spec.cache]
        jobs.append(
            PlannedJob(
                overrides=tuple(words),
                graph=prepared.job.graph,
                plan=prepared.plan,
                parts={spec.name: prepared.own_parts(spec) for spec in order},
                forced=frozenset([*prepared.job.planner.forced, *uncached]),
                loaded=prepared,
            )
        )
    return jobs


def counts(found: SweepPlan) -> dict[str, tuple[int, int]]:
    return {stage.name: (stage.distinct, stage.cached) for stage in found.stages}


def test_stages_before_the_param_are_shared(toy: Toy) -> None:
    """Before anything ran, what is one and the same in all jobs is counted once."""
    found = plan("stages.double.params.factor=1,2,3")
    assert (found.jobs, found.stage_runs, found.distinct, found.execute) == (3, 15, 11, 11)
    assert counts(found) == {
        "load": (1, 0), "double": (3, 0), "count": (1, 0), "judge": (3, 0), "pack": (3, 0),
    }  # fmt: skip
    assert found.shared == ("load", "count")
    assert found.estimated_seconds is None


def test_what_is_cached_does_not_execute(toy: Toy) -> None:
    """After a run of one job, its stages are cached and the estimate covers the others."""
    record, _ = toy.run("stages.double.params.factor=2")
    found = plan("stages.double.params.factor=1,2,3")
    assert (found.cached, found.execute) == (5, 6)
    took = {stage.name: stage.seconds for stage in record.stages}
    wanted = 2 * (took["double"] + took["judge"] + took["pack"])
    assert found.estimated_seconds is not None
    assert abs(found.estimated_seconds - wanted) < 1e-9


def test_jobs_that_are_the_same_are_counted_once(toy: Toy) -> None:
    """Two jobs with equal values share every stage."""
    found = plan("stages.double.params.factor=2,2")
    assert (found.jobs, found.distinct) == (2, 5)


def plain(cfg: Any) -> Any:
    return without_secrets(OmegaConf.to_container(cfg, resolve=True))


def test_a_job_has_the_config_that_hydra_would_compose(toy: Toy) -> None:
    """Values written into one composition give what composing each job gives, groups too."""
    sweeps = [
        ["stages.double.params.factor=1,2", "seed=3,4"],
        ["model=logistic_regression,random_forest", "stages.judge.params.limit=5,6"],
        ["stages.judge.retries=0,2"],
        ["force=load,double"],
    ]
    for sweep in sweeps:
        words = [*BASE, *sweep]
        jobs = split_sweep(words)
        assert len(jobs) == 2 ** len(sweep)
        made = [plain(cfg) for _, cfg in compose_jobs("train", jobs)]
        assert made == [plain(compose("train", job)) for job in jobs]


SWEEPS = [
    ["stages.double.params.factor=1,2,3"],
    ["stages.double.params.factor=1,2", "stages.judge.params.limit=5,6"],
    ["stages.double.params.factor=${vars.factor}", "++vars.factor=2,5"],
    ["stages.double.params.factor=${vars.factor}", "++vars.factor=${seed}", "seed=2,3"],
    ["stages.double.params.factor=2,${seed}", "seed=2,3"],
    ["stages.double.params.factor=${oc.select:seed}", "seed=2,3"],
    ["seed=1,2"],
    ["stages.judge.retries=0,2"],
    ["stages.judge.cache=false,true", "stages.double.params.factor=1,2"],
    ["force=double", "stages.double.params.factor=2,4"],
    ["stop_after=double", "stages.double.params.factor=2,4"],
    ["stop_after=double,judge", "stages.judge.params.limit=5,6"],
    ["model=logistic_regression,random_forest", "stages.double.params.factor=2,4"],
    ["stages.load.inputs.source=file:data.txt,file:more.txt"],
    ["publish.alias=production,staging"],
]


@pytest.mark.parametrize("sweep", SWEEPS, ids=" ".join)
def test_a_job_is_planned_as_if_it_were_loaded_alone(toy: Toy, sweep: list[str]) -> None:
    """Whatever differs between jobs, each has the very plan, keys and reasons of its own command."""
    (toy.folder / "more.txt").write_text("4 5")
    toy.run("stages.double.params.factor=2")
    assert list(plan_jobs("train", split_sweep([*BASE, *sweep]), flow="train")) == load_each(*sweep)


@pytest.mark.parametrize(
    "note",
    [["+stages.judge.params.note=${oc.env:THE_TOKEN}"],
     ["++vars.note=${oc.env:THE_TOKEN}", "+stages.judge.params.note=${vars.note}"]],
    ids=["in the params", "behind a reference"],
)  # fmt: skip
def test_a_secret_beside_the_value_stays_out_of_parts(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, note: list[str]
) -> None:
    """A param that takes in a secret variable is redacted in every job, as it is in one command."""
    monkeypatch.setenv("THE_TOKEN", "sesame")
    toy.code = toy.code.replace("limit: int = 100)", "limit: int = 100, note: str = '')")
    toy.write()
    sweep = [*note, "stages.judge.params.limit=5,6,7"]
    made = list(plan_jobs("train", split_sweep([*BASE, *sweep]), flow="train"))
    assert made == load_each(*sweep)
    assert "sesame" not in repr([job.parts for job in made])


def test_a_seed_counts_only_for_the_stage_that_takes_it(toy: Toy) -> None:
    """Over three seeds a stage with a context is three, and the others are shared."""
    toy.code = toy.code.replace("def count(rows: list):", "def count(rows: list, context):")
    toy.run()
    made = list(plan_jobs("train", split_sweep([*BASE, "seed=1,2,3"]), flow="train"))
    assert made == load_each("seed=1,2,3")
    found = plan_sweep(made)
    assert counts(found)["count"] == (3, 0)
    assert found.shared == ("load", "double")


def test_jobs_that_differ_in_values_load_one_config(toy: Toy) -> None:
    """What a value does not reach is the very same object in every later job."""
    made = list(plan_jobs("train", split_sweep([*BASE, "stages.double.params.factor=1,2,3"]), flow="train"))
    assert made[1].parts["load"] is made[2].parts["load"]
    assert made[1].parts["double"] != made[2].parts["double"]


def test_a_wrong_job_of_a_sweep_is_a_config_error(toy: Toy) -> None:
    """A value of the wrong type in the last job is found, and says where it is."""
    with pytest.raises(ConfigError, match=r"stages\.double\.params\.factor: 'x' is not of type int"):
        plan("stages.double.params.factor=1,2,x")


def test_a_forced_stage_executes_in_every_job(toy: Toy) -> None:
    """It is one and the same in both jobs, shares nothing, and what follows it is counted once."""
    record, _ = toy.run()
    found = plan("stages.judge.params.limit=5,6", "force=double")
    double = next(stage for stage in found.stages if stage.name == "double")
    assert (double.distinct, double.cached, double.execute) == (1, 0, 2)
    took = next(stage.seconds for stage in record.stages if stage.name == "double")
    assert double.estimated_seconds == pytest.approx(2 * took)
    assert found.shared == ("load", "count")


def test_the_stages_of_another_pipeline_are_counted_apart(toy: Toy) -> None:
    """A stage that not every job has is not shared."""
    found = plan("stop_after=double,judge")
    assert (found.jobs, found.stage_runs, found.distinct) == (2, 6, 4)
    assert found.shared == ("load", "double")


def test_a_sweep_plan_writes_nothing(toy: Toy) -> None:
    """Not even the folder of the lake comes to be."""
    before = sorted(toy.folder.rglob("*"))
    plan("stages.double.params.factor=1,2,3")
    assert sorted(toy.folder.rglob("*")) == before
