"""A sweep's record ranks its jobs, survives JSON, and says so when it cannot be read."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import UnreadableRecord
from headrace.core.sweep import (
    FORMAT,
    Direction,
    SweepRecord,
    TrialRecord,
    TrialState,
    as_params,
    guess_direction,
    parse_sweep,
    split_shared,
)


def trial(number: int, state: TrialState = "succeeded", **metrics: float) -> TrialRecord:
    words = [f"model.C={number}"]
    return TrialRecord(number=number, overrides=words, params=as_params(words), state=state, metrics=metrics)


def sweep(*trials: TrialRecord, **objective: Direction) -> SweepRecord:
    return SweepRecord(
        id="20260101-000000-abcdef",
        experiment="penguins",
        flow="train",
        command="python -m flows.train -m model.C=0,1",
        overrides=["model.C=0,1"],
        state="succeeded",
        started="2026-01-01T00:00:00+00:00",
        seconds=3.25,
        objective=dict(objective),
        fixed=["seed=1"],
        trials=list(trials),
        published={"version": 1},
        resume="python -m flows.train -m resume=20260101-000000-abcdef",
    )


def numbers(trials: list[TrialRecord]) -> list[int]:
    return [found.number for found in trials]


class TestRanked:
    def test_the_greatest_or_the_least_is_first(self) -> None:
        """The direction decides, and of equal ones the lower number is first."""
        trials = [trial(0, x=1.0), trial(1, x=3.0), trial(2, x=2.0), trial(3, x=3.0)]
        assert numbers(sweep(*trials, x="maximize").ranked()) == [1, 3, 2, 0]
        assert numbers(sweep(*trials, x="minimize").ranked()) == [0, 2, 1, 3]
        assert numbers(sweep(*trials, x="maximize").front()) == [1, 3]

    def test_only_results_are_ranked(self) -> None:
        """A gate's no is a result; NaN, a metric that is missing and a job that failed are none."""
        trials = [
            trial(0, x=math.nan),
            trial(1, y=1.0),
            trial(2, "failed", x=9.0),
            trial(3, "rejected", x=1.0),
            trial(4, "cached", x=2.0),
            trial(5, "running", x=9.0),
            trial(6, "pruned", x=9.0),
            trial(7, x=-math.inf),
        ]
        assert numbers(sweep(*trials, x="maximize").ranked()) == [4, 3, 7]

    def test_without_an_objective_the_order_is_that_of_the_jobs(self) -> None:
        """Every job with a result is there."""
        assert numbers(sweep(trial(0), trial(1, "failed"), trial(2, x=9.0)).ranked()) == [0, 2]

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=8))
    def test_the_front_of_several_objectives(self, scores: list[tuple[int, int, int]]) -> None:
        """The front is exactly what nothing dominates, and it is ranked before everything else."""
        trials = [trial(n, x=x, y=y, z=z) for n, (x, y, z) in enumerate(scores)]
        found = sweep(*trials, x="maximize", y="minimize", z="maximize")
        turned = [(x, -y, z) for x, y, z in scores]
        expected = {
            n
            for n, mine in enumerate(turned)
            if not any(
                other != mine and all(a >= b for a, b in zip(other, mine, strict=True)) for other in turned
            )
        }
        front = numbers(found.front())
        assert set(front) == expected
        assert numbers(found.ranked())[: len(front)] == front
        assert sorted(numbers(found.ranked())) == list(range(len(scores)))


def full() -> SweepRecord:
    found = sweep(trial(0, x=1.0), trial(1, "failed"), x="maximize")
    found.trials[0].reports = [(1, 0.5), (2, 0.75)]
    found.trials[0].memory = {"params": {"C": 0}}
    found.trials[1].error = "no"
    return found


def test_a_record_survives_json() -> None:
    """What is written is what is read, also where a metric is no finite number."""
    record = full()
    record.trials[0].metrics["y"] = math.inf
    assert parse_sweep(json.loads(json.dumps(record.to_json()))) == record


def test_a_newer_format_says_to_update() -> None:
    """A record of a later headrace is not half understood."""
    with pytest.raises(UnreadableRecord, match=r"is newer than .*: update headrace"):
        parse_sweep(full().to_json() | {"format": FORMAT + 1})


OTHERS: tuple[Any, ...] = (None, 5, 1.5, "x", "12", [1], [[1]], [["a", "b"]], [None], {"x": None}, {"12": {}})


def read_or_refuse(data: Any) -> None:
    """Read what may be damaged; what can be read can be used."""
    try:
        record = parse_sweep(data)
    except UnreadableRecord:
        return
    record.ranked()
    record.front()
    assert parse_sweep(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize("name", [field.name for field in fields(SweepRecord)])
def test_a_field_of_another_type(name: str) -> None:
    """Each field with each type ends in a record that can be used, or in `UnreadableRecord`."""
    for other in OTHERS:
        read_or_refuse(full().to_json() | {name: other})


@pytest.mark.parametrize("name", [field.name for field in fields(TrialRecord)])
def test_a_field_of_a_job_of_another_type(name: str) -> None:
    """The same for what is said of a job."""
    for other in OTHERS:
        damaged = copy.deepcopy(full().to_json())
        damaged["trials"][0][name] = other
        read_or_refuse(damaged)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: None, "not a sweep record"),
        (lambda data: [], "not a sweep record"),
        (lambda data: "text", "not a sweep record"),
        (lambda data: {}, "not a sweep record"),
        (lambda data: data | {"format": "1"}, "not a sweep record"),
        (lambda data: data | {"surprise": 1}, "surprise"),
        (lambda data: {name: value for name, value in data.items() if name != "flow"}, "flow"),
        (lambda data: data | {"trials": [None]}, "not a sweep record"),
        (lambda data: data | {"seconds": "3"}, "seconds is str, not int or float"),
        (lambda data: data | {"started": "2026-01-01"}, "no time zone"),
        (lambda data: data | {"started": "soon"}, "started"),
        (lambda data: data | {"state": "killed"}, "there is no 'killed'"),
        (lambda data: data | {"objective": {"x": "up"}}, "objective.x: 'up' is no direction"),
        (lambda data: data | {"objective": {"x": []}}, "no direction"),
        (lambda data: data | {"fixed": [1]}, "fixed: an override is a string"),
        (lambda data: data | {"trials": data["trials"] * 2}, "the same number"),
        (lambda data: damage_trial(data, run=7), "trials.run is int, not str or NoneType"),
        (lambda data: damage_trial(data, state="done"), "trials.0.state"),
        (lambda data: damage_trial(data, overrides=[None]), "trials.0.overrides"),
        (lambda data: damage_trial(data, metrics={"x": "1"}), "no number"),
        (lambda data: damage_trial(data, metrics={"x": 10**400}), "no number"),
        (lambda data: damage_trial(data, reports=[[math.inf, 1]]), "no number"),
        (lambda data: damage_trial(data, reports=[[1]]), "no number"),
        (lambda data: damage_trial(data, reports={"12": 1}), "trials.reports is dict, not list"),
    ],
)
def test_a_damaged_record_is_unreadable(damage: Any, said: str) -> None:
    """Whatever is missing, surplus or of another shape ends in one kind of error, which names it."""
    with pytest.raises(UnreadableRecord, match=said):
        parse_sweep(damage(full().to_json()))


def damage_trial(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return data | {"trials": [data["trials"][0] | changes, data["trials"][1]]}


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("accuracy", "maximize"),
        ("roc_auc", "maximize"),
        ("log_loss", "minimize"),
        ("val-LOSS", "minimize"),
        ("rmse", "minimize"),
        ("train_seconds", "minimize"),
        ("lossless", "maximize"),
    ],
)
def test_which_way_is_better_by_a_name(metric: str, direction: str) -> None:
    """Words that name a loss are known; everything else is the better the greater."""
    assert guess_direction(metric) == direction


def test_what_all_jobs_share() -> None:
    """Order stays, and what only some have, or have with another value, is each job's own."""
    jobs = [["a=1", "b=1", "c=3", "only=1"], ["a=1", "b=2", "c=3"]]
    assert split_shared(jobs) == (["a=1", "c=3"], [["b=1", "only=1"], ["b=2"]])
    assert split_shared([["a=1"]]) == (["a=1"], [[]])
    assert split_shared([]) == ([], [])


def test_params_are_what_is_written() -> None:
    """Keys lose their plus; a value is text, with whatever signs it has."""
    words = ["model.C=0.1", "+x=a=b", "++y={p: 1}", "model=svm"]
    assert as_params(words) == {"model.C": "0.1", "x": "a=b", "y": "{p: 1}", "model": "svm"}
