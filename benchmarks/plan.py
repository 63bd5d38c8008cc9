"""How long a plan takes: for pipelines of 10 to 1,000 stages, and for sweeps.

    python benchmarks/plan.py [--jobs 1000]

Every figure stands beside the time that composing the config alone takes in the same process. `FAIL` marks a
missed limit, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from headrace.assemble import Memory, prepare
from headrace.config.compose import compose
from headrace.config.sweep import split_sweep
from headrace.sweep_plan import plan_jobs, plan_sweep

T = TypeVar("T")

JOBS_SECONDS = 10.0  # for 1,000 jobs of 8 stages
PLAN_SECONDS = 1.0  # beyond composing
ROUNDS = 3
failed: list[str] = []


def timed(action: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    made = action()
    return time.perf_counter() - start, made


def tell(name: str, seconds: float, note: str = "", limit: float | None = None) -> None:
    verdict = ""
    if limit is not None:
        verdict = f"  limit {limit:g} s" + ("" if seconds <= limit else "  FAIL")
        if seconds > limit:
            failed.append(name)
    print(f"{name:<52}{seconds:>9.3f} s{verdict}{'  ' + note if note else ''}", flush=True)


def write_pipeline(stages: int) -> None:
    """Write a chain of trivial stages into the current folder."""
    Path("conf/experiment").mkdir(parents=True, exist_ok=True)
    Path("conf/pipeline").mkdir(exist_ok=True)
    Path("bench_stages.py").write_text("def step(value: dict):\n    return {'value': value}\n")
    lines = [
        f"  s{number:04d}: {{call: bench_stages.step, inputs: {{value: v{number}}}, "
        f"outputs: {{value: v{number + 1}}}}}"
        for number in range(1, stages)
    ]
    first = '  s0000: {call: headrace.stages.ingest.read_csv, inputs: {source: "file:data.csv"}, '
    first += "params: {target: y}, outputs: {raw: v1}}"
    Path("data.csv").write_text("x,y\n1,2\n")
    Path("conf/pipeline/bench.yaml").write_text("# @package _global_\npipeline: bench\n")
    body = "\n".join([first, *lines])
    Path("conf/experiment/bench.yaml").write_text(f"# @package _global_\nname: bench\nstages:\n{body}\n")


def bench_stages(stages: int) -> None:
    write_pipeline(stages)
    words = ["+experiment=bench", "pipeline=bench", "tracker=none"]
    composing, cfg = timed(lambda: compose("train", words))
    planning, prepared = timed(lambda: prepare(cfg, words, flow="train", dry=True))
    tell(f"{stages:,} stages: compose", composing)
    tell("  plan, code read for the first time", planning, f"{planning / composing:.2f} x composing")
    memory = Memory.of(cfg)
    prepare(cfg, words, flow="train", dry=True, memory=memory)
    again, _ = timed(lambda: prepare(cfg, words, flow="train", dry=True, memory=memory))
    tell("  plan, code known", again, f"{again / composing:.2f} x composing", limit=PLAN_SECONDS)

    def keys() -> None:
        for spec in prepared.job.graph.order:
            prepared.own_parts(spec)

    making, _ = timed(keys)
    tell("  keys", making, f"{1000 * making / stages:.2f} ms each")


def bench_command() -> None:
    """Time the command itself, from a cold process to its end, beside a process that composes alone."""
    words = ["+experiment=breast_cancer", "model.C=3"]
    alone = f"from headrace.config.compose import compose; compose('train', {words})"
    composing = min(timed_process("-c", alone) for _ in range(ROUNDS))
    planning = min(timed_process("-m", "flows.plan", *words) for _ in range(ROUNDS))
    tell("a process that composes alone", composing)
    tell("python -m flows.plan, beyond that", planning - composing, limit=PLAN_SECONDS)


def timed_process(*words: str) -> float:
    seconds, _ = timed(lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True))
    return seconds


def bench_sweep(jobs: int) -> None:
    words = ["+experiment=breast_cancer", "tracker=none", f"model.C=range(1,{jobs + 1})"]
    composing, _ = timed(lambda: compose("train", words[:2]))

    planning, planned = timed(lambda: list(plan_jobs("train", split_sweep(words), flow="train")))
    counting, sweep = timed(lambda: plan_sweep(planned))
    seconds = planning + counting
    limit = JOBS_SECONDS * jobs / 1000
    note = f"{1000 * seconds / jobs:.1f} ms a job, {sweep.distinct:,} distinct stages"
    tell(f"a sweep of {jobs:,} jobs x 8 stages: plan", seconds, note, limit=limit)
    tell("  composing each of them would take", composing * jobs, f"{composing * jobs / seconds:.1f} x that")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-plan-") as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        for stages in (10, 100, 1000):
            bench_stages(stages)
        bench_command()
        bench_sweep(options.jobs)
        os.chdir("/")
    if failed:
        print(f"missed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
