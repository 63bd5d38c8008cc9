"""Sweep records to report on."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from headrace.core.sweep import Direction, SweepRecord, TrialRecord


def make_sweep(jobs: int = 12, objective: dict[str, Direction] | None = None, **changes: Any) -> SweepRecord:
    """Return a finished search over a number, a category and a param under a condition, some jobs pruned."""
    rng = random.Random(0)
    trials = []
    for number in range(jobs):
        params: dict[str, Any] = {"model": rng.choice(["a", "b"]), "model.C": 10 ** rng.uniform(-3, 3)}
        if params["model"] == "a":
            params["model.depth"] = rng.randint(1, 5)
        score = rng.random()
        trial = TrialRecord(
            number=number,
            overrides=[f"{key}={value}" for key, value in params.items()],
            params=params,
            state="succeeded",
            run=f"run-{number}",
            metrics={"accuracy": score, "log_loss": 1 - score},
            seconds=1.5,
            reports=[(1, score / 2), (2, score)],
        )
        if number % 4 == 3:
            trial = replace(trial, state="pruned", metrics={}, run=None)
        trials.append(trial)
    record = SweepRecord(
        id="20261124-120000-abc",
        experiment="toy",
        flow="train",
        command="python -m flows.train -m +experiment=toy",
        overrides=[],
        state="succeeded",
        started="2026-11-24T12:00:00+00:00",
        seconds=30.0,
        objective={"accuracy": "maximize"} if objective is None else objective,
        trials=trials,
        resume="python -m flows.train -m resume=20261124-120000-abc",
    )
    return replace(record, **changes)
