"""Which params of a sweep decided, by Optuna."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from headrace.adapters.search_optuna import rank_params
from headrace.core.sweep import SweepRecord, TrialRecord


def sweep(params: list[dict[str, Any]], scores: list[float]) -> SweepRecord:
    trials = [
        TrialRecord(number=n, overrides=[], params=one, state="succeeded", metrics={"score": score})
        for n, (one, score) in enumerate(zip(params, scores, strict=True))
    ]
    return SweepRecord(
        id="s",
        experiment="e",
        flow="train",
        command="",
        overrides=[],
        state="succeeded",
        started="2026-11-24T00:00:00+00:00",
        seconds=1.0,
        objective={"score": "maximize"},
        trials=trials,
    )


def test_the_param_that_decides_comes_first() -> None:
    """Of a number on a logarithmic scale, a category and noise; the same seed gives the same shares."""
    rng = random.Random(0)
    params = [
        {"model.C": 10 ** rng.uniform(-3, 3), "kind": rng.choice("ab"), "noise": rng.random()}
        for _ in range(40)
    ]
    scores = [math.log10(one["model.C"]) + (one["kind"] == "a") for one in params]
    found = rank_params(sweep(params, scores), "score")
    assert next(iter(found.shares)) == "model.C"
    assert found.shares["model.C"] > 3 * found.shares["noise"]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert (found.left_out, found.why) == ((), "")
    assert rank_params(sweep(params, scores), "score") == found


def test_a_grid_of_texts_is_ranked_too() -> None:
    """Its params are as they were typed."""
    params = [{"depth": str(depth), "kind": kind} for depth in range(1, 7) for kind in ("a", "b")]
    found = rank_params(sweep(params, [float(one["depth"]) for one in params]), "score")
    assert found.shares["depth"] > 0.9


@pytest.mark.parametrize(
    ("params", "scores", "said"),
    [
        ([{"x": n} for n in range(9)], list(range(9)), "9 jobs have a result, and it takes 10"),
        ([{"x": n} for n in range(12)], [0.5] * 12, "score is the same in all 12 jobs"),
        ([{"x": n} for n in range(12)], [math.nan] * 12, "0 jobs have a result"),
        ([{"x": 1} for _ in range(12)], list(range(12)), "no param has several values"),
        ([{"x": n} for n in range(12)], list(range(12)), "x is the only param"),
    ],
)
def test_where_nothing_can_be_said_it_says_why(
    params: list[dict[str, Any]], scores: list[float], said: str
) -> None:
    """Too few jobs, one result, no choice: a reason, and no error."""
    assert said in rank_params(sweep(params, scores), "score").why


def test_params_under_a_condition_are_left_out() -> None:
    """They are named: nothing can be said of them beside the others."""
    params: list[dict[str, Any]] = [{"x": n, "y": n % 5} for n in range(12)]
    params[3]["only"] = 1
    found = rank_params(sweep(params, [float(n) for n in range(12)]), "score")
    assert found.left_out == ("only",)
    assert set(found.shares) == {"x", "y"}
