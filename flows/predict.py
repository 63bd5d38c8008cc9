"""Predict: a published model scores a table that may be larger than memory.

    python -m flows.predict model=flights@production input=new.parquet output=scored.parquet
    python -m flows.predict model=flights/3 input='new/*.csv' output=all.csv probabilities=true keep=[flight]
    python -m flows.predict model=flights input=lake:raw/flights output=lake:scored/flights.parquet

The output has the columns of the input and `prediction`, with probabilities=true a column for each class too.
Rows that do not meet the model's schema are in a file beside it, `scored.rejected.parquet`, with reasons.
Killed or failed, the same command goes on with the first partition that is not there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from headrace import entry
from headrace.batch.plan import Batch, Summary, plan_batch
from headrace.config.command import compose_command, split_project
from headrace.config.predict import PredictNode, load_predict
from headrace.core.ports import Runtime
from headrace.errors import Problem
from headrace.project import try_project
from headrace.runtimes import Runtimes

_EVERY_SECONDS = 5.0
_REASONS = 5


def plan(words: Sequence[str]) -> Batch:
    """Find the model and the input; nothing is loaded or read yet that is known by its digest.

    Raises `ConfigError` with every problem.
    """
    problems: list[Problem] = []
    own, of_project = split_project(words)
    project = try_project(of_project, problems)
    node = load_predict(compose_command("predict", PredictNode, own, problems), problems)
    assert project is not None  # else there were problems
    return plan_batch(node, project.lake, project.root)


def run_predict(words: Sequence[str]) -> int:
    """Score, and say what came of it and where it is."""
    batch = plan(words)
    if done := batch.find_done():
        print(f"nothing to do: {batch.node.output} is what {done.model} version {done.version} says of it")
        tell(done)
        return 0
    from headrace.batch.run import run_batch

    runtimes = Runtimes(batch.root, batch.node, batch.cache, None)
    runtimes.check()
    runtimes.begin()
    made: list[Runtime] = []

    def build() -> Runtime:
        made.append(runtimes.build())
        return made[0]

    print(f"model     {batch.model} version {batch.version}", flush=True)
    summary = run_batch(batch, build, _Progress())
    tell(summary)
    print(f"took      {summary.seconds:.1f} s{_rate(summary)}")
    if made and (url := made[0].info().get("url")):
        print(f"Prefect   {url}")
    if hint := runtimes.hint():
        print(f"          {hint}")
    return 0


def tell(summary: Summary) -> None:
    """Print what a batch came to."""
    rejected = f"{summary.rejected:,} rejected"
    print(f"rows      {summary.rows:,} in, {summary.answered:,} out, {rejected}")
    for reason, rows in list(summary.reasons.items())[:_REASONS]:
        print(f"          {rows:,}  {reason}")
    if len(summary.reasons) > _REASONS:
        print(f"          … and {len(summary.reasons) - _REASONS} more reasons")
    for what, place in zip(("output", "rejected"), summary.places, strict=False):
        print(f"{what:<9} {place}")


def _rate(summary: Summary) -> str:
    if not summary.computed or not summary.seconds:
        return ""
    there = summary.rows - summary.computed
    earlier = f"; {there:,} rows were there from an earlier try" if there else ""
    return f", {summary.computed / summary.seconds:,.0f} rows/s{earlier}"


class _Progress:
    """Says every few seconds how far it is, on stderr."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, rows: int) -> None:
        now = time.monotonic()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            print(f"  {rows:,} rows", file=sys.stderr, flush=True)


def main() -> None:
    """Predict from the shell: 0 when done, 1 where it fails, 2 for words or an input that cannot be."""
    entry.run_words("predict", __doc__, run_predict)


if __name__ == "__main__":
    main()
