"""Optuna as a search: every sampler and pruner by name, and what a sweep that was cut off goes on with."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.adapters.search_optuna import OptunaSearch
from headrace.config.search import NodeFactory, pruner_factory, sampler_factory
from headrace.config.space import parse_space
from headrace.core.code import CodeIndex
from headrace.core.grid import grid_points
from headrace.core.ports import Search, Suggestion
from headrace.core.space import Choice, Interval, Space
from headrace.errors import ConfigError

INDEX = CodeIndex(lambda kind, file, compute: compute())
PLANE = Space(domains={"x": Interval(low=-5, high=5), "y": Interval(low=-5, high=5)})
MIXED = parse_space(
    {
        "model": "forest,svm",
        "model=forest": {"depth": "int(interval(1,8))", "rate": "tag(log,interval(0.001,1))"},
        "model=svm": {"rate": "range(0,1,0.1)", "kernel": "rbf,null,3"},
    },
    [],
)[0]
SAMPLERS: dict[str, dict[str, Any]] = {
    "TPESampler": {},
    "CmaEsSampler": {"warn_independent_sampling": False},
    "RandomSampler": {},
    "QMCSampler": {"warn_independent_sampling": False},
    "NSGAIISampler": {"population_size": 8},
}


def sampler(name: str, **args: Any) -> NodeFactory:
    node = {"_target_": f"optuna.samplers.{name}", **SAMPLERS.get(name, {}), **args}
    return sampler_factory(INDEX, "hydra.sweeper.sampler", node)


def pruner(name: str, **args: Any) -> NodeFactory:
    return pruner_factory(INDEX, "hydra.sweeper.pruner", {"_target_": f"optuna.pruners.{name}", **args})


def search(
    space: Space = PLANE,
    name: str = "TPESampler",
    directions: Sequence[Literal["maximize", "minimize"]] = ("minimize",),
    seed: int = 1,
    n_trials: int | None = None,
    **args: Any,
) -> OptunaSearch:
    return OptunaSearch(space, directions, sampler(name, **args), None, seed, n_trials)


def bowl(params: Mapping[str, Any]) -> float:
    """Return the distance from (1, -2)."""
    return math.hypot(params["x"] - 1, params["y"] + 2)


def play(
    played: OptunaSearch, count: int, score: Callable[[Mapping[str, Any]], float] = bowl
) -> list[Suggestion]:
    """Ask and tell one trial after another."""
    asked = []
    for _ in range(count):
        suggestion = played.ask()
        assert suggestion is not None
        asked.append(suggestion)
        played.tell(suggestion.number, "complete", [score(suggestion.params)])
    return asked


def hand_over(old: OptunaSearch, new: OptunaSearch) -> OptunaSearch:
    """Restore in a new search, through JSON that any reader takes, all that an old one was told."""
    for trial in old._study.get_trials():
        end: Any = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name]
        memory = json.loads(json.dumps(old.memory(trial.number), allow_nan=False))
        scores = [(step, old._sign * value) for step, value in trial.intermediate_values.items()]
        values = trial.values if end == "complete" else []
        new.restore(trial.number, memory, end, values, scores)
    return new


def points(asked: Sequence[Suggestion]) -> set[tuple[Any, ...]]:
    return {tuple(sorted(suggestion.params.items())) for suggestion in asked}


def test_it_is_a_search() -> None:
    """The adapter has the port's methods with the port's types."""
    played: Search = search()
    assert played.ask() is not None


def test_importing_it_imports_no_optuna() -> None:
    """A command that sweeps nothing does not wait for Optuna."""
    code = "import sys, headrace.adapters.search_optuna; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["TPESampler", "CmaEsSampler", "NSGAIISampler"])
def test_learning_samplers_find_more_than_chance(name: str) -> None:
    """After the same number of trials, what learns is nearer to the optimum than random draws."""
    learnt = min(bowl(s.params) for s in play(search(name=name), 60))
    drawn = min(bowl(s.params) for s in play(search(name="RandomSampler"), 60))
    assert learnt < drawn


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_gives_its_points(name: str) -> None:
    """The same seed asks for the same points, and another for others after the first few."""
    asked = play(search(name=name, seed=3), 20)
    assert asked == play(search(name=name, seed=3), 20)
    assert [s.number for s in asked] == list(range(20))
    assert all(-5 <= value <= 5 for s in asked for value in s.params.values())
    if name != "NSGAIISampler":  # a child may be its parent again
        assert len(points(asked)) == 20
    assert asked[0] != play(search(name=name, seed=4), 1)[0]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_restored_search_goes_on(name: str) -> None:
    """A rebuilt study has the same trials; it draws other points than before, the same each time."""
    old = search(name=name)
    before = play(old, 21)
    late = old.ask()
    assert late is not None
    old.tell(late.number, "failed")
    first, second = (hand_over(old, search(name=name)) for _ in range(2))
    for mine, theirs in zip(first._study.get_trials(), old._study.get_trials(), strict=True):
        kept = ("number", "state", "values", "params", "distributions", "intermediate_values")
        assert all(getattr(mine, part) == getattr(theirs, part) for part in kept)
        assert first.memory(mine.number) == old.memory(mine.number)
    after = play(first, 20)
    assert after == play(second, 20)
    assert [s.number for s in after] == list(range(22, 42))
    if name != "NSGAIISampler":  # a child may be its parent again
        assert not points(after) & points([*before, late])


def test_quasi_random_points_go_on_where_they_were() -> None:
    """Whether a sweep was cut off makes no difference to a QMC sequence, scrambled or not."""
    for scramble in (False, True):
        whole = play(search(name="QMCSampler", scramble=scramble), 32)
        old = search(name="QMCSampler", scramble=scramble)
        begun = play(old, 13)
        went_on = play(hand_over(old, search(name="QMCSampler", scramble=scramble)), 19)
        assert [*begun, *went_on] == whole


def test_a_restored_quasi_random_search_of_failures_repeats_nothing() -> None:
    """Where every trial failed, the next one is not the first one again."""
    old = search(name="QMCSampler")
    first = old.ask()
    assert first is not None
    old.tell(0, "failed")
    second = hand_over(old, search(name="QMCSampler")).ask()
    assert second is not None
    assert second.params != first.params


def test_genetic_search_keeps_its_generations() -> None:
    """A restored NSGA-II breeds from the population that it had, and begins no new one."""
    old = search(name="NSGAIISampler")
    play(old, 30)
    new = hand_over(old, search(name="NSGAIISampler"))
    play(new, 1)
    generations = [t.system_attrs["NSGAIISampler:generation"] for t in new._study.get_trials()]
    assert generations[-1] == 30 // 8
    assert sorted(generations) == generations
    assert new._open.attrs() == old._open.attrs()


def test_cma_es_hands_on_no_pickle_and_reads_none() -> None:
    """The optimizer that CMA-ES pickles is not in a memory, and one put into a memory is dropped."""
    old = search(name="CmaEsSampler")
    play(old, 20)
    attrs = [key for t in old._study.get_trials() for key in t.system_attrs]
    assert any(key.startswith("cma:optimizer") for key in attrs)
    assert "optimizer" not in json.dumps([old.memory(n) for n in range(20)])
    memory = old.memory(3)
    planted = {**memory, "attrs": {**memory["attrs"], "cma:optimizer:0": "80049500", "cma:note": "8004"}}
    new = search(name="CmaEsSampler")
    new.restore(0, planted, "complete", [1.0], [])
    assert new._study.get_trials()[0].system_attrs == memory["attrs"]


@pytest.mark.parametrize("margin", [False, True])
def test_cma_es_goes_on_as_near_as_it_was(margin: bool) -> None:
    """A restored CMA-ES learns from the generations before: it beats one that begins anew."""
    old = search(name="CmaEsSampler", with_margin=margin)
    play(old, 80)
    went_on = play(hand_over(old, search(name="CmaEsSampler", with_margin=margin)), 40)
    anew = play(search(name="CmaEsSampler", with_margin=margin, seed=2), 40)
    assert min(bowl(s.params) for s in went_on) < min(bowl(s.params) for s in anew)


def test_open_trials_are_told_in_any_order() -> None:
    """Several trials may be open, none is asked for twice, and their ends come in any order."""
    played = search(name="TPESampler", constant_liar=True)
    open_trials: list[Suggestion] = []
    for n in range(40):
        suggestion = played.ask()
        assert suggestion is not None
        open_trials.append(suggestion)
        if len(open_trials) == 4:
            done = open_trials.pop((n * 7) % 4)
            played.tell(done.number, "complete", [bowl(done.params)])
    states = [trial.state.name for trial in played._study.get_trials()]
    assert states.count("RUNNING") == len(open_trials) == 3
    assert states.count("COMPLETE") == 37


@pytest.mark.parametrize("name", [*SAMPLERS, "BruteForceSampler"])
def test_conditional_spaces(name: str) -> None:
    """Each point has the params of its own model, in their types and within their bounds."""
    space = MIXED
    if name == "BruteForceSampler":
        space = parse_space(
            {
                "model": "forest,svm",
                "model=forest": {"depth": "range(1,9)"},
                "model=svm": {"rate": "range(3)"},
            },
            [],
        )[0]
    played = search(space, name, seed=3)
    asked = play(played, 11, lambda params: float(len(params)) * (params["model"] == "svm"))
    assert {s.params["model"] for s in asked} == {"forest", "svm"}
    for suggestion in asked:
        params = dict(suggestion.params)
        model = params.pop("model")
        (inner,) = [one for (_, wanted), one in space.when.items() if wanted == model]
        assert set(params) == set(inner.domains)
        for key, value in params.items():
            domain = inner.domains[key]
            if isinstance(domain, Choice):
                assert value in domain.values
            else:
                assert isinstance(value, int if domain.integer else float)
                assert domain.low <= value <= domain.high
                assert domain.step != 0.1 or value in [n / 10 for n in range(10)]
    hand_over(played, search(space, name, seed=3))


def test_choices_that_python_takes_for_one_another() -> None:
    """1, 1.0 and true are three choices, each drawn as it was written, and kept so over a restore."""
    space = Space(domains={"x": Choice(values=(1, 1.0, True, "1", None, math.inf))})
    played = search(space, "RandomSampler")
    asked = play(played, 40, lambda params: 0.0)
    assert {repr(s.params["x"]) for s in asked} == {"1", "1.0", "True", "'1'", "None", "inf"}
    hand_over(played, search(space, "RandomSampler"))


STEPS = st.builds(
    lambda low, step, n: Interval(low=low, high=round(low + step * n, 6), step=step),
    st.integers(-20, 20).map(lambda n: n / 10),
    st.sampled_from([0.1, 0.3, 0.25, 2.0]),
    st.integers(0, 6),
)
WHOLE = st.builds(
    lambda low, n, step: Interval(low=low, high=low + n * step, integer=True, step=step),
    st.integers(-9, 9),
    st.integers(0, 5),
    st.integers(1, 3),
)
CHOICES = st.lists(st.sampled_from([1, 1.0, True, None, "a", "b", 0.5]), min_size=1, max_size=4).map(
    lambda values: Choice(values=tuple({repr(v): v for v in values}.values()))
)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), STEPS | WHOLE | CHOICES, min_size=1), st.integers(0, 5), st.data()
)
def test_a_grid_asks_each_point_once(domains: dict[str, Any], seed: int, data: st.DataObject) -> None:
    """A grid, cut off anywhere, asks for every point of the space once and then for none."""
    key, domain = next(iter(domains.items()))
    value = domain.values[0] if isinstance(domain, Choice) else domain.low
    space = Space(domains=domains, when={(key, value): Space(domains={"d": Choice(values=("u", "v"))})})
    wanted = sorted(repr(sorted(point.items())) for point in grid_points(space))
    old = search(space, "GridSampler", seed=seed)
    asked = play(old, data.draw(st.integers(0, len(wanted))), lambda params: 0.0)
    new = hand_over(old, search(space, "GridSampler", seed=seed))
    while (suggestion := new.ask()) is not None:
        asked.append(suggestion)
    assert sorted(repr(sorted(s.params.items())) for s in asked) == wanted


def test_a_grid_of_the_users_own_points() -> None:
    """A GridSampler with its own points asks for each once, also with trials open, lost or restored."""
    own = {"x": [-1.5, 0.0, 2.5], "y": [0.0, 1.0]}
    old = search(name="GridSampler", search_space=own)
    asked = play(old, 3)
    new = hand_over(old, search(name="GridSampler", search_space=own))
    while (suggestion := new.ask()) is not None:
        asked.append(suggestion)
    assert points(asked) == {(("x", x), ("y", y)) for x in own["x"] for y in own["y"]}
    assert len(asked) == 6


def test_brute_force_with_open_trials_repeats_nothing() -> None:
    """BruteForceSampler stops when all points are asked for, whether or not they are told."""
    space = parse_space({"x": "range(3)", "y": "a,b"}, [])[0]
    played = search(space, "BruteForceSampler")
    asked = [s for s in (played.ask() for _ in range(9)) if s is not None]
    assert len(asked) == len(points(asked)) == 6


def test_the_number_of_trials() -> None:
    """No more trials are asked for than wanted, those restored included."""
    old = search(n_trials=5)
    play(old, 3)
    new = hand_over(old, search(n_trials=5))
    play(new, 2)
    assert new.ask() is None


def test_numbers_without_a_record_and_cut_off_trials() -> None:
    """A number of which nothing is known fails; a reopened trial is told under its own number."""
    old = search()
    play(old, 2)
    lost = [old.ask(), old.ask()]
    new = search()
    new.restore(1, old.memory(1), "complete", [0.5], [])
    new.reopen(3, old.memory(3), [(0, 0.1)])
    states = [trial.state.name for trial in new._study.get_trials()]
    assert states == ["FAIL", "COMPLETE", "FAIL", "RUNNING"]
    assert lost[1] is not None
    assert new._study.get_trials()[3].params == lost[1].params
    assert new.report(3, 1, 0.2) is False
    new.tell(3, "complete", [0.25])
    suggestion = new.ask()
    assert suggestion is not None
    assert suggestion.number == 4


def test_restoring_out_of_order_is_refused() -> None:
    """A number cannot come twice, nor after the first ask."""
    old = search()
    play(old, 2)
    new = search()
    new.restore(1, old.memory(1), "complete", [0.5], [])
    with pytest.raises(ValueError, match="trial 0 is restored already"):
        new.restore(0, old.memory(0), "complete", [0.5], [])
    new.ask()
    with pytest.raises(RuntimeError, match="before the first one"):
        new.restore(5, old.memory(0), "complete", [0.5], [])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_fails_the_trial(value: float) -> None:
    """Such a trial counts as failed when it is told and when it is restored; learning leaves it out."""
    played = search()
    played.ask()
    played.tell(0, "complete", [value])
    new = search()
    new.restore(0, played.memory(0), "complete", [value], [])
    for one in (played, new):
        assert [trial.state.name for trial in one._study.get_trials()] == ["FAIL"]


def test_a_failed_trial_is_not_taken_for_a_good_one() -> None:
    """A failed trial has no value, whatever it reported, and is never the best one."""
    played = OptunaSearch(PLANE, ["minimize"], None, pruner("ThresholdPruner", upper=9.0))
    for n in range(6):
        suggestion = played.ask()
        assert suggestion is not None
        played.report(n, 0, 1e6)
        played.tell(n, "complete" if n == 4 else "failed", [1.0])
    for one in (played, hand_over(played, search())):
        assert [trial.value for trial in one._study.get_trials()] == [None] * 4 + [1.0, None]
        assert one._study.best_trial.number == 4


PRUNERS: dict[str, dict[str, Any]] = {
    "MedianPruner": {"n_startup_trials": 3},
    "HyperbandPruner": {"max_resource": 9},
    "SuccessiveHalvingPruner": {},
    "PercentilePruner": {"percentile": 25.0, "n_startup_trials": 3},
    "PatientPruner": {
        "wrapped_pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3},
        "patience": 1,
    },
    "WilcoxonPruner": {"n_startup_steps": 2},
}


def train(played: OptunaSearch, quality: float, steps: int = 9) -> int:
    """Report an interim score at each step, and return how many steps there were."""
    suggestion = played.ask()
    assert suggestion is not None
    for step in range(steps):
        # It falls a little from step to step, so that patience ends.
        if played.report(suggestion.number, step, quality - step / 100):
            played.tell(suggestion.number, "pruned")
            return step + 1
    value = quality if played._study.direction.name == "MAXIMIZE" else -quality
    played.tell(suggestion.number, "complete", [value])
    return steps


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("name", PRUNERS)
def test_pruners_stop_the_worse_trials(name: str, direction: Literal["maximize", "minimize"]) -> None:
    """A greater score is better whatever the objective's direction: of bad trials some stop, and of
    those better than all before none does."""
    factory = pruner(name, **PRUNERS[name])
    played = OptunaSearch(PLANE, [direction], sampler("RandomSampler"), factory)
    good = [train(played, n / 10) for n in range(10)]
    bad = [train(played, -1.0 - n / 10) for n in range(15)]
    assert good == [9] * 10
    assert min(bad) < 9
    new = hand_over(played, OptunaSearch(PLANE, [direction], sampler("RandomSampler"), factory))
    for mine, theirs in zip(new._study.get_trials(), played._study.get_trials(), strict=True):
        assert mine.intermediate_values == theirs.intermediate_values
        assert mine.values == theirs.values
        assert mine.state == theirs.state
    assert min(train(new, -5.0) for _ in range(10)) < 9


@pytest.mark.parametrize("name", PRUNERS)
def test_verdicts_are_of_python(name: str) -> None:
    """Some of Optuna's pruners answer with NumPy's booleans, which JSON does not know."""
    played = OptunaSearch(PLANE, ["maximize"], sampler("RandomSampler"), pruner(name, **PRUNERS[name]))
    train(played, 1.0)
    suggestion = played.ask()
    assert suggestion is not None
    assert {type(played.report(suggestion.number, step, -float(step))) for step in range(9)} == {bool}


def test_a_threshold_is_of_the_score_for_what_is_maximized() -> None:
    """ThresholdPruner compares with the score itself."""
    played = OptunaSearch(PLANE, ["maximize"], None, pruner("ThresholdPruner", lower=0.5))
    assert train(played, 0.9) == 9
    assert train(played, 0.4) == 1


def test_scores_that_come_late_or_twice() -> None:
    """A score after the trial's end is ignored, and a step told again counts once."""
    played = OptunaSearch(PLANE, ["maximize"], None, pruner("ThresholdPruner", lower=0.5))
    played.ask()
    assert played.report(0, 0, 0.1)
    assert not played.report(0, 0, 0.7)
    assert played._study.get_trials()[0].intermediate_values == {0: 0.7}
    played.tell(0, "complete", [0.7])
    assert not played.report(0, 1, 0.1)
    without = search()
    without.ask()
    assert not without.report(0, 0, -1e9)


def test_several_objectives() -> None:
    """NSGA-II, also as what is taken by default, finds points that trade one objective for the other."""
    for factory in (sampler("NSGAIISampler"), None):
        played = OptunaSearch(PLANE, ["minimize", "maximize"], factory)
        for _ in range(60):
            suggestion = played.ask()
            assert suggestion is not None
            x, y = (float(suggestion.params[key] or 0) for key in "xy")
            played.tell(suggestion.number, "complete", [x * x + y * y, x])
        assert len(played._study.best_trials) > 3
        new = OptunaSearch(PLANE, ["minimize", "maximize"], factory)
        assert hand_over(played, new).ask() is not None
        assert [t.values for t in new._study.get_trials()][:60] == [
            t.values for t in played._study.get_trials()
        ]


def test_what_optuna_cannot_do_is_a_config_error() -> None:
    """A pruner for several objectives, a sampler for one only, and wrong classes are named."""
    with pytest.raises(ConfigError, match="cannot stop trials of 2 objectives"):
        OptunaSearch(PLANE, ["minimize", "minimize"], None, pruner("MedianPruner"))
    with pytest.raises(ConfigError, match="CmaEsSampler cannot search this"):
        play(search(name="CmaEsSampler", directions=["minimize", "minimize"]), 1)
    with pytest.raises(ConfigError, match="MedianPruner is no sampler"):
        OptunaSearch(PLANE, ["minimize"], pruner("MedianPruner")).ask()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ThresholdPruner cannot be built: Either lower or upper"):
        OptunaSearch(PLANE, ["minimize"], None, pruner("ThresholdPruner"))
    with pytest.raises(ConfigError, match=r"for a grid: x=range\(-5,5,<step>\)"):
        search(name="GridSampler").ask()


def test_wrong_nodes() -> None:
    """A wrong class or argument of a node is named with the one that is near it, a missing one too."""
    with pytest.raises(ConfigError, match=r"did you mean hydra\.sweeper\.sampler\._target_=.*TPESampler"):
        sampler("TPESampel")
    with pytest.raises(ConfigError, match=r"did you mean hydra\.sweeper\.sampler\.n_startup_trials"):
        sampler("TPESampler", n_startup_trails=3)
    with pytest.raises(ConfigError, match="needs 'percentile'"):
        pruner("PercentilePruner")
    with pytest.raises(ConfigError, match="is not chosen"):
        sampler_factory(INDEX, "hydra.sweeper.sampler", None)


def test_seeds_of_nodes() -> None:
    """A seed reaches each part that takes one, also inside; the one that a node sets itself stays."""
    inner = {"_target_": "optuna.samplers.RandomSampler"}
    nested = sampler("PartialFixedSampler", fixed_params={"x": 0.5}, base_sampler=inner)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        nested(5)  # OptunaSearch keeps this warning to itself
    drawn = [play(OptunaSearch(PLANE, ["minimize"], nested, seed=5), 3) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert {s.params["x"] for s in drawn[0]} == {0.5}
    assert play(search(name="RandomSampler", seed=9), 2) != play(search(name="RandomSampler", seed=8), 2)
    own = sampler("RandomSampler", seed=3)
    assert own(1)._rng.rng.random() == own(2)._rng.rng.random()


def test_optunas_log_says_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A sweep's trials are not told a second time by Optuna."""
    play(search(), 2)
    assert capsys.readouterr().err == ""
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
