"""Train: from YAML to a recorded, published model.

    python -m flows.train +experiment=penguins
    python -m flows.train -m +experiment=penguins model.C=0.1,1,10

`flows.train.train` is the same as a Prefect flow, to deploy and to serve. It is made when somebody
asks for it, so that a command with nothing to do never imports Prefect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from headrace import entry, tell
from headrace.assemble import prepare

if TYPE_CHECKING:
    from headrace.core.record import RunRecord

EXIT_CODES = {"succeeded": 0, "pruned": 0, "failed": 1, "rejected": 3, "interrupted": 130}


def run_train(cfg: DictConfig, overrides: Sequence[str]) -> RunRecord | None:
    """Plan, and run what is to run. Returns the run's record, or None where nothing was to do."""
    prepared = prepare(cfg, overrides, flow="train")
    tell.tell_unfollowed(prepared.plan)
    if prepared.nothing_to_do:
        tell.tell_nothing_to_do(prepared)
        return None
    if rejection := prepared.rejected_by():
        tell.tell_rejected(prepared)
        raise rejection
    prepared.begin()

    from headrace.run import run_job

    record = run_job(prepared.job, prepared.plan, tell.open_display())
    tell.tell_run(record, prepared.job.records.file(record.id), prepared.head(record), prepared.server_hint())
    return record


def run_sweep(cfg: DictConfig, overrides: Sequence[str], resumed: str | None = None) -> int:
    """Run many jobs of one experiment as a sweep, and return the exit code."""
    from headrace.config.compose import compose
    from headrace.sweeps import SweepRequest, start_sweep

    def publish(words: Sequence[str]) -> RunRecord | None:
        return run_train(compose("train", words), words)

    request = SweepRequest(flow="train", cfg=cfg, words=overrides, publish=publish, resumed=resumed)
    return start_sweep(request)


def main() -> None:
    """Run from the shell; the process leaves with the run's exit code."""

    def task(cfg: DictConfig, overrides: Sequence[str]) -> int:
        record = run_train(cfg, overrides)
        return 0 if record is None else EXIT_CODES[record.state]

    entry.shell("train", task, sweep=run_sweep)


def __getattr__(name: str) -> Any:
    if name == "train":
        from headrace.deployed import make_flow

        return make_flow("train", __name__, run_train)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    main()
