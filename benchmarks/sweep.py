"""Time sweeps: a grid against loops and Hydra's own launcher, again, many jobs, and a pruned search.

Usage: python benchmarks/sweep.py [--points 20] [--jobs 200] [--trials 30] [--only grid,again]

Each sweep is a command of its own, on Prefect with a local server that is up before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from overhead import FORBIDDEN, ROOT, Bench

CASES = ("grid", "heavy", "again", "many", "prune")
HEAVY_JOBS = 20
# One thread, and a second or more of fits for little to store.
HEAVY = (
    "model=random_forest",
    "model.n_jobs=1",
    "stages/train=cross_validate",
    "stages.train.params.folds=20",
)
HEAVY_SWEEP = f"model.n_estimators=range(60,{60 + HEAVY_JOBS})"
PEAK = (
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=2).returncode; print(code, "
)
PEAK += "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    options = parser.parse_args()
    only = options.only.split(",")
    if wrong := set(only) - set(CASES):
        parser.error(f"no case {', '.join(sorted(wrong))}; there are {', '.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        bench = SweepBench(Path(temporary))
        try:
            bench.warm_up()
            if "grid" in only:
                bench.time_grid(options.points)
            if "heavy" in only:
                bench.time_heavy()
            if "again" in only:
                bench.time_again(options.points)
            if "many" in only:
                bench.time_many(options.jobs)
            if "prune" in only:
                bench.compare_pruned(options.trials)
        finally:
            bench.stop_server()
        return bench.missed


class SweepBench(Bench):
    """Prints each figure as soon as it is known, and counts those beyond their limits."""

    missed = 0

    def sweep(self, *words: str, experiment: str = "breast_cancer") -> float:
        """Run a sweep and return its seconds."""
        return self.shell("-m", "flows.train", "-m", f"+experiment={experiment}", *words)

    def say(
        self, what: str, figure: float, unit: str, limit: float | None = None, *, least: bool = False
    ) -> None:
        late = limit is not None and (figure < limit if least else figure > limit)
        self.missed += late
        bound = "" if limit is None else f"{'least' if least else 'most'} {limit:g}"
        print(f"{what:<48}{figure:>9.3f}  {unit:<10}{bound:<12}{'MISSED' if late else ''}", flush=True)

    def time_grid(self, points: int) -> None:
        """Sweep C, and do the same in a loop of one process, by a shell call each, and by Hydra."""
        loop = self.shell(str(ROOT / "benchmarks" / "sweep_loop.py"), str(self.folder / "loop"), str(points))
        fits = json.loads(self.said.splitlines()[-1])
        one = self.sweep(f"model.C={_grid(points, 0)}", "hydra.launcher.n_jobs=1")
        two = self.sweep(f"model.C={_grid(points, 1)}", "hydra.launcher.n_jobs=2")
        start = time.perf_counter()
        for number in range(points):
            self.bare("calls", 0.5 + number / 100)
        calls = time.perf_counter() - start
        hydra = ("hydra/launcher=basic", "hydra/sweeper=basic")
        basic = self.sweep(f"model.C={_grid(points, 2)}", *hydra)
        print(f"{points} points over C on breast_cancer, whole commands:")
        self.say("a loop in one process", loop, "s")
        self.say("headrace, one worker", one, "s")
        self.say("headrace, two workers", two, "s")
        self.say("the script, one shell call a point", calls, "s")
        self.say("Hydra's basic launcher", basic, "s")
        self.say("one worker, beyond the loop", (one - loop) / points, "s a job", 0.3)
        self.say("one worker, beyond the loop less its imports", (one - fits) / points, "s a job")

    def time_heavy(self) -> None:
        """Sweep jobs that compute for a second or more, with one worker and with two."""
        one = self.sweep(*HEAVY, HEAVY_SWEEP, "seed=7", "hydra.launcher.n_jobs=1")
        trained = statistics.median(self.stage_seconds("train"))
        two = self.sweep(*HEAVY, HEAVY_SWEEP, "seed=8", "hydra.launcher.n_jobs=2")
        print(f"{HEAVY_JOBS} jobs whose training takes {trained:.1f} s:")
        self.say("one worker", one, "s")
        self.say("two workers", two, "s")
        self.say("two workers against one", one / two, "x", 1.7, least=True)

    def time_again(self, points: int) -> None:
        """Sweep, and sweep again with nothing to do; less a single run with nothing to do."""
        words = (f"model.C={_grid(points, 3)}", "hydra.launcher.n_jobs=2")
        self.sweep(*words)
        self.sweep("model.C=0.5", "hydra.launcher.n_jobs=2")
        again = min(self.sweep(*words) for _ in range(3))
        single = min(self.sweep("model.C=0.5", "hydra.launcher.n_jobs=2") for _ in range(3))
        self.shell("-X", "importtime", "-m", "flows.train", "-m", "+experiment=breast_cancer", *words)
        lines = [line for line in self.said.splitlines() if line.startswith("import time:")]
        heavy = {line.rpartition("|")[2].strip() for line in lines} & {*FORBIDDEN, "optuna"}
        print(f"the {points} points again, all cached:")
        self.say("the whole command", again, "s")
        self.say("beyond a sweep of one cached job", (again - single) / (points - 1), "s a job", 0.05)
        self.say("heavy libraries imported", len(heavy), ", ".join(sorted(heavy)), 0)

    def time_many(self, jobs: int) -> None:
        """Sweep a few and many jobs with one worker: memory and time by job."""
        few = max(2, jobs // 4)
        print(f"{few} and {jobs} jobs, one worker:")
        figures = {}
        for number, count in enumerate((few, jobs)):
            command = ["-m", "flows.train", "-m", "+experiment=breast_cancer", "hydra.launcher.n_jobs=1"]
            command.append(f"model.C={_grid(count, 4 + number)}")
            seconds = self.shell("-c", PEAK, sys.executable, *command)
            code, peak = self.said.split()[:2]  # all else goes to stderr
            if code != "0":
                raise RuntimeError(self.said)
            figures[count] = seconds, int(peak) / 1024
            self.say(f"{count} jobs", seconds, "s")
            self.say(f"{count} jobs, memory of the largest process", int(peak) / 1024, "MB")
        (few_seconds, few_peak), (seconds, peak) = figures[few], figures[jobs]
        self.say("memory, many against few", peak / few_peak, "x", 1.1)
        self.say("seconds a job, many against few", seconds / jobs / (few_seconds / few), "x", 1.2)

    def compare_pruned(self, trials: int) -> None:
        """Search digits with and without pruning, from the same seed."""
        budget = f"hydra.sweeper.n_trials={trials}"
        words = ("+sweep=tpe", budget, "hydra.launcher.n_jobs=2", "runtime=inline")
        # With a pruner that has nothing to compare with: without one no score is reported.
        never = ("headrace_dir=.headrace-whole", f"hydra.sweeper.pruner.n_startup_trials={trials}")
        pruned = self.search(*words)
        whole = self.search(*words, *never)
        print(f"TPE on digits, {trials} trials:")
        for name, (accuracy, epochs, seconds) in {"pruned": pruned, "unpruned": whole}.items():
            self.say(f"{name}: accuracy of the best", accuracy, "")
            self.say(f"{name}: epochs", epochs, "")
            self.say(f"{name}: time", seconds, "s")
        self.say("accuracy, pruned less unpruned", pruned[0] - whole[0], "", 0.0, least=True)
        self.say("epochs, pruned of unpruned", pruned[1] / whole[1], "x", 0.6)

    def search(self, *words: str) -> tuple[float, int, float]:
        """Return the best accuracy, the epochs and the seconds of a search."""
        seconds = self.sweep(*words, experiment="digits_search")
        named = next(
            (word.partition("=")[2] for word in words if word.startswith("headrace_dir")), ".headrace"
        )
        found = self.record(named)["trials"]
        accuracies = [trial["metrics"]["accuracy"] for trial in found if "accuracy" in trial["metrics"]]
        return max(accuracies), sum(len(trial["reports"]) for trial in found), seconds

    def record(self, root: str = ".headrace") -> dict[str, Any]:
        """Return the newest sweep's record."""
        newest = max((self.folder / root / "sweeps").iterdir())
        found: dict[str, Any] = json.loads((newest / "sweep.json").read_text())
        return found

    def stage_seconds(self, name: str) -> list[float]:
        """Return the seconds of one stage in each job of the newest sweep."""
        runs = [self.folder / ".headrace" / "runs" / trial["run"] for trial in self.record()["trials"]]
        stages = [stage for run in runs for stage in json.loads((run / "run.json").read_text())["stages"]]
        return [stage["seconds"] for stage in stages if stage["name"] == name]


def _grid(points: int, which: int) -> str:
    """Return values of C that no other case has, and that the gate lets pass."""
    return ",".join(f"{0.5 + number / 100 + which / 1000:.3f}" for number in range(points))


if __name__ == "__main__":
    sys.exit(main())
