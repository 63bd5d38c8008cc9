"""Plan: what a run would do and why, without doing any of it.

    python -m flows.plan +experiment=penguins model.C=3
    python -m flows.plan -m +experiment=penguins model.C=0.1,1,10

It writes nothing, starts nothing and imports no library of the stages. `--json` prints all of it as one
document.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from omegaconf import DictConfig

from headrace import entry, tell_plan
from headrace.assemble import prepare


def plan_run(cfg: DictConfig, overrides: Sequence[str], as_json: bool) -> None:
    """Plan one run, and tell."""
    tell_plan.tell(prepare(cfg, overrides, flow="train", dry=True), as_json)


def plan_all(cfg: DictConfig, overrides: Sequence[str], typed: Sequence[str], as_json: bool) -> None:
    """Plan a sweep as a whole, and tell. Of a search, plan some points that differ in every key."""
    from headrace.sweeps.asked import plan_asked

    asked, plan = plan_asked("train", cfg, overrides)
    if asked.search is None:
        tell_plan.tell_sweep(plan, typed, as_json)
    else:
        tell_plan.tell_search(plan, asked.keys, asked.search.total, typed, as_json)


def main() -> None:
    """Plan from the shell; exit code 0 whatever the plan says, 2 for a wrong config."""
    as_json = "--json" in sys.argv
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--json"]
    typed = [word for word in sys.argv[1:] if word not in ("-m", "--multirun")]

    def task(cfg: DictConfig, overrides: Sequence[str]) -> int:
        plan_run(cfg, overrides, as_json)
        return 0

    def sweep(cfg: DictConfig, overrides: Sequence[str], _: str | None) -> int:
        plan_all(cfg, overrides, typed, as_json)
        return 0

    entry.shell("train", task, flow="plan", sweep=sweep)


if __name__ == "__main__":
    main()
