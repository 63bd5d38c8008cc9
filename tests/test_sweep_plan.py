"""A sweep planned as a whole, and the configs of its jobs."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from headrace.assemble import Memory, prepare
from headrace.config.compose import compose
from headrace.config.sweep import compose_jobs, split_sweep
from headrace.core.secrets import without_secrets
from headrace.sweep_plan import PlannedJob, SweepPlan, plan_sweep
from tests.toy import Toy, toy

__all__ = ["toy"]

BASE = ["+experiment=toy", "pipeline=bare"]


def plan(*overrides: str) -> SweepPlan:
    jobs = []
    for words, cfg in compose_jobs("train", split_sweep([*BASE, *overrides])):
        prepared = prepare(cfg, words, flow="train", dry=True, memory=Memory.of(cfg))
        parts = {spec.name: prepared.own_parts(spec) for spec in prepared.job.graph.order}
        jobs.append(
            PlannedJob(overrides=tuple(words), graph=prepared.job.graph, plan=prepared.plan, parts=parts)
        )
    return plan_sweep(jobs)


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
