"""Searches: what they ask for, and what becomes of their trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import hydra
import pytest

from headrace.adapters import workers_process
from headrace.config.compose import open_conf
from headrace.config.space import parse_space
from headrace.config.sweep_settings import load_sweep_settings
from headrace.core.code import CodeIndex
from headrace.core.space import Choice, Interval, Space
from headrace.errors import ConfigError
from headrace.sweeps.search import OpenSearch, every_branch, open_search, write_point

from .lab import Lab, lab

__all__ = ["lab"]

ONE = "hydra.launcher.n_jobs=1"
RANDOM = "hydra.sweeper.sampler={_target_: optuna.samplers.RandomSampler}"
TPE = "hydra.sweeper.sampler={_target_: optuna.samplers.TPESampler}"
EACH_ONCE = "hydra.sweeper.sampler={_target_: optuna.samplers.GridSampler}"
OBJECTIVE = "sweep.objective=score"
C = "model.C=interval(1,9)"


def opened(space: Sequence[str], *words: str) -> OpenSearch:
    """Open the search of a command line."""
    with open_conf():
        cfg = hydra.compose("train", overrides=[OBJECTIVE, *words], return_hydra_config=True)
    settings = load_sweep_settings(cfg)
    index = CodeIndex(lambda kind, file, compute: compute())
    return open_search(settings, parse_space(settings.sweeper.params, space)[0], index)


def draw(search: OpenSearch, count: int) -> list[Mapping[str, Any] | None]:
    """Ask and tell, one trial after the other."""
    found = []
    for number in range(count):
        one = search.search.ask()
        found.append(None if one is None else one.params)
        if one is not None:
            search.search.tell(number, "complete", [float(one.params["model.C"])])  # type: ignore[arg-type]
    return found


class TestOpenSearch:
    @pytest.mark.parametrize("sampler", [RANDOM, TPE])
    def test_a_seed_gives_its_points(self, lab: Lab, sampler: str) -> None:
        """The experiment's seed is the search's, unless the search has one of its own."""
        budget = "hydra.sweeper.n_trials=12"
        points = draw(opened([C], sampler, budget, "seed=7"), 12)
        assert draw(opened([C], sampler, budget, "hydra.sweeper.seed=7", "seed=3"), 12) == points
        assert draw(opened([C], sampler, budget, "seed=8"), 12) != points

    @pytest.mark.parametrize("sampler", [EACH_ONCE, EACH_ONCE.replace("Grid", "BruteForce")])
    def test_a_grid_needs_no_budget_and_ends(self, lab: Lab, sampler: str) -> None:
        """Its total is the number of its points, or fewer where a budget says so."""
        space = ["model.C=range(1,5)"]
        found = opened(space, sampler)
        assert found.total == 4
        points = [point["model.C"] for point in draw(found, 5) if point is not None]
        assert sorted(points) == [1, 2, 3, 4]
        assert opened(space, sampler, "hydra.sweeper.n_trials=3").total == 3
        assert opened(space, sampler, "hydra.sweeper.n_trials=9").total == 4

    def test_minutes_are_budget_enough(self, lab: Lab) -> None:
        """Then there is no telling how many trials there will be."""
        assert opened([C], RANDOM, "hydra.sweeper.minutes=5").total is None

    @pytest.mark.parametrize(
        ("space", "words", "said"),
        [
            ([C], [RANDOM], "hydra.sweeper.n_trials: a search needs a budget"),
            ([], [RANDOM, "hydra.sweeper.n_trials=3"], "there is nothing to search"),
            ([C], ["hydra.sweeper.sampler=tpe", "hydra.sweeper.n_trials=3"], "hydra.sweeper.sampler"),
            ([C], [RANDOM, "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=5"], "hydra.sweeper.pruner"),
            (
                [C],
                [
                    "hydra.sweeper.sampler={_target_: optuna.samplers.TPESampeler}",
                    "hydra.sweeper.n_trials=3",
                ],
                "hydra.sweeper.sampler",
            ),
            (
                [C],
                [
                    RANDOM,
                    "hydra.sweeper.n_trials=3",
                    "hydra.sweeper.pruner={_target_: optuna.pruners.Medan}",
                ],
                "hydra.sweeper.pruner",
            ),
        ],
    )
    def test_what_is_missing_or_wrong(self, lab: Lab, space: list[str], words: list[str], said: str) -> None:
        """A search without space or budget, or with a class that is not there, is a wrong config."""
        with pytest.raises(ConfigError, match=said):
            opened(space, *words)


class TestEveryBranch:
    def test_ends_choices_and_conditions(self) -> None:
        """The points have each end of an interval, each value of a choice, and what hangs on these."""
        curve = Space(domains={"model.depth": Interval(low=1, high=4, integer=True)})
        space = Space(
            domains={
                "model": Choice(values=("line", "curve", "tree")),
                "model.C": Interval(low=0.5, high=2.0),
            },
            when={("model", "curve"): curve},
        )
        assert list(every_branch(space)) == [
            {"model": "line", "model.C": 0.5},
            {"model": "curve", "model.C": 2.0, "model.depth": 1},
            {"model": "curve", "model.C": 2.0, "model.depth": 4},
            {"model": "tree", "model.C": 0.5},
        ]

    def test_choices_under_conditions(self) -> None:
        """Each of their values is in a point, however deep it stands: a typo there is one as well."""
        deep = Space(domains={"c": Choice(values=(7, 8))})
        inner = Space(domains={"b": Choice(values=("x", "y", "z"))}, when={("b", "z"): deep})
        space = Space(domains={"a": Choice(values=(1, 2))}, when={("a", 2): inner})
        assert list(every_branch(space)) == [
            {"a": 1},
            {"a": 2, "b": "x"},
            {"a": 2, "b": "y"},
            {"a": 2, "b": "z", "c": 7},
            {"a": 2, "b": "z", "c": 8},
        ]

    def test_of_an_interval_both_ends(self) -> None:
        """Where nothing is chosen two points will do."""
        points = list(every_branch(Space(domains={"x": Interval(low=1, high=3, integer=True)})))
        assert points == [{"x": 1}, {"x": 3}]
        assert [write_point(point) for point in points] == [["x=1"], ["x=3"]]


SEARCH = """
# @package _global_
defaults: [lab, _self_]
sweep:
  objective: {score: maximize, loss: minimize}
hydra:
  sweeper:
    sampler: {_target_: optuna.samplers.GridSampler}
    params:
      model: line,curve
      model=line: {model.C: "range(1,5)"}
      model=curve: {model.C: 1, model.depth: "1,5"}
"""


class TestTrials:
    def test_conditions_failures_and_several_objectives(self, lab: Lab) -> None:
        """Params are those of their model, a failed trial is one, and the front is ranked first."""
        lab.write("if C == 4:\n    raise ValueError('no 4 here')")
        (lab.folder / "conf" / "experiment" / "lab_search.yaml").write_text(SEARCH.lstrip())
        told = lab.train("-m", "+experiment=lab_search", ONE)
        assert told.code == 1, told.err
        assert told.err.splitlines()[:2] == [
            "6 trials over model",
            "once for all trials: load, split; in each: fit, judge, pack",
        ]
        record = lab.record
        assert [trial.number for trial in record.trials] == list(range(6))
        params = [trial.params for trial in record.trials]
        assert sorted(params, key=str) == sorted(
            [
                *({"model": "line", "model.C": value} for value in (1, 2, 3, 4)),
                *({"model": "curve", "model.C": 1, "model.depth": value} for value in (1, 5)),
            ],
            key=str,
        )
        assert lab.calls() == {
            "load": 1, "split": 1, "fit C=1": 1, "fit C=2": 1, "fit C=3": 1, "fit C=4": 1,
            "fit C=1 depth=1": 1, "fit C=1 depth=5": 1,
        }  # fmt: skip
        assert lab.trial(C=4).state == "failed"
        assert "no 4 here" in str(lab.trial(C=4).error)
        # Scores and losses: C=1: 6, 6; C=2: 12, 0; C=3: 18, 6; depth=1: 9, 3; depth=5: 21, 9.
        front = [(trial.metrics["score"], trial.metrics["loss"]) for trial in record.front()]
        assert sorted(front) == [(12, 0), (18, 6), (21, 9)]
        ranked = record.ranked()
        assert len(ranked) == 5
        assert ranked[:3] == record.front()

    def test_a_hopeless_trial_is_pruned(self, lab: Lab) -> None:
        """It ends at the step at which the pruner says so, which is no failure; its reports are kept."""
        lab.write("""
            for step in (1, 2, 3):
                note(f"step {C} {step}")
                context.report(step, 10 if step == 1 else C)
        """)
        told = lab.sweep(
            "model.C=range(1,5)", EACH_ONCE, OBJECTIVE, ONE,
            "hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, lower: 2.5}",
        )  # fmt: skip
        assert told.code == 0, told.err
        assert lab.record.state == "succeeded"
        found = {trial.params["model.C"]: (trial.state, trial.reports) for trial in lab.record.trials}
        assert found == {
            1: ("pruned", [(1, 10), (2, 1)]),
            2: ("pruned", [(1, 10), (2, 2)]),
            3: ("succeeded", [(1, 10), (2, 3), (3, 3)]),
            4: ("succeeded", [(1, 10), (2, 4), (3, 4)]),
        }
        assert [trial.params["model.C"] for trial in lab.record.ranked()] == [4, 3]
        assert (lab.calls()["step 1 2"], lab.calls()["step 1 3"]) == (1, 0)
        assert "pruned" in told.out

    def test_the_budget_is_used_up(self, lab: Lab) -> None:
        """As many trials as n_trials says, with the points that the seed gives."""
        budget = "hydra.sweeper.n_trials=5"
        told = lab.sweep(C, RANDOM, OBJECTIVE, budget, "seed=7", ONE)
        assert told.code == 0, told.err
        assert [trial.params for trial in lab.record.trials] == draw(opened([C], RANDOM, budget, "seed=7"), 5)
        assert {trial.state for trial in lab.record.trials} == {"succeeded"}

    def test_the_time_is_up(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        """No trial starts then, and no worker; that is no failure."""
        monkeypatch.setattr(workers_process, "ProcessPoolExecutor", None)
        told = lab.sweep(C, RANDOM, OBJECTIVE, "hydra.sweeper.minutes=1e-9", ONE)
        assert told.code == 0, told.err
        assert told.err.splitlines()[0] == "trials until the time is up over model.C"
        assert (lab.record.state, lab.record.trials) == ("succeeded", [])
        assert lab.calls() == {}
