"""Time the shell command for `breast_cancer` against `bare.py`, and two hundred trivial stages.

Usage: python benchmarks/overhead.py [--rounds 5] [--only cold,same,param,many]

Both are run in turns, so that a busy machine hurts both; medians are compared. The local server is
started before anything is timed, and stopped at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
CASES = ("cold", "same", "param", "many")
STAGES = 200
FORBIDDEN = ("prefect", "wandb", "sklearn", "torch", "pandas")


@dataclass(slots=True)
class Times:
    """Wall-clock seconds, one list a case."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, case: str, seconds: float) -> None:
        self.seconds.setdefault(case, []).append(seconds)

    def median(self, case: str) -> float:
        return statistics.median(self.seconds[case])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    options = parser.parse_args()
    only = options.only.split(",")
    if wrong := set(only) - set(CASES):
        parser.error(f"no case {', '.join(sorted(wrong))}; there are {', '.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        bench = Bench(Path(temporary))
        try:
            bench.warm_up()
            for number in range(options.rounds):
                bench.round(number, only)
            if "many" in only:
                bench.many_stages(options.rounds)
        finally:
            bench.stop_server()
        return bench.print_table()


class Bench:
    """Runs commands in a project folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.times = Times()
        self.said = ""
        # Without bytecode every start takes three times as long, and the ratios say nothing.
        self.env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.env |= {"WANDB_MODE": "offline", "DO_NOT_TRACK": "1", "PREFECT_HOME": str(folder / "prefect")}
        self.env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.env.pop("PREFECT_API_URL", None)

    def shell(self, *arguments: str, folder: Path | None = None) -> float:
        """Run Python with these arguments and return the seconds that it took."""
        command = [sys.executable, *arguments]
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder or self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        self.said = done.stdout + done.stderr
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}\n{self.said}")
        return seconds

    def train(self, *overrides: str) -> float:
        return self.shell("-m", "flows.train", "+experiment=breast_cancer", *overrides)

    def bare(self, case: str, c: float, *flags: str) -> None:
        output = self.folder / "bare"
        shutil.rmtree(output, ignore_errors=True)
        script = str(ROOT / "benchmarks" / "bare.py")
        self.times.add(case, self.shell(script, str(output), str(c), *flags))

    def warm_up(self) -> None:
        """Start the server and read every file once."""
        self.train("seed=1")
        self.bare("warm-up", 1.0)

    def stop_server(self) -> None:
        root = self.folder / ".headrace"
        code = "import sys; from pathlib import Path; from headrace.runtimes import local_server"
        self.shell("-c", f"{code}; local_server(Path(sys.argv[1])).stop()", str(root))

    def round(self, number: int, only: list[str]) -> None:
        """Time each case once, and the bare script in between."""
        seed, c = f"seed={1000 + number}", 2.0 + number / 100
        self.bare("bare", c)
        shutil.rmtree(self.folder / ".headrace" / "cache" / "stages")
        self.times.add("cold", self.train(seed))
        self.bare("lean", c, "--lean")
        if "same" in only:
            self.times.add("same", self.train(seed))
            if not number:
                self.check_imports(seed)
        if "param" in only:
            self.times.add("param", self.train(seed, f"model.C={c}"))

    def check_imports(self, seed: str) -> None:
        """Refuse to time a run with nothing to do that loads what it must not."""
        self.shell("-X", "importtime", "-m", "flows.train", "+experiment=breast_cancer", seed)
        lines = [line for line in self.said.splitlines() if line.startswith("import time:")]
        loaded = {line.rpartition("|")[2].strip() for line in lines}
        if found := loaded & set(FORBIDDEN):
            raise RuntimeError(f"a run with nothing to do imports {', '.join(sorted(found))}")

    def many_stages(self, rounds: int) -> None:
        """Run a chain of trivial stages, then again with nothing to do."""
        project = write_chain(self.folder / "chain")
        shared = f"headrace_dir={self.folder / '.headrace'}"
        command = ("-m", "flows.train", "+experiment=chain", shared)
        for number in range(min(rounds, 3)):
            start = f"stages.s000.params.start={number}"
            self.times.add("many", self.shell(*command, start, folder=project))
            self.times.add("many again", self.shell(*command, start, folder=project))

    def print_table(self) -> int:
        """Print medians against the targets, and return how many were missed."""
        bare = self.times.median("bare")
        rows = [
            ("cold", "cold", "x bare", 1 / bare, 2.5),
            ("nothing to do", "same", "x bare", 1 / bare, 0.6),
            ("one train param", "param", "x bare", 1 / bare, 2.2),
            (f"{STAGES} stages", "many", "ms a stage", 1000 / STAGES, 40.0),
            (f"{STAGES} stages again", "many again", "s", 1.0, 1.5),
        ]
        print(f"{'case':<20}{'seconds':>9}{'figure':>9}{'target':>9}  unit")
        print(f"{'bare script':<20}{bare:>9.2f}{1:>9.2f}{'':>9}  x bare")
        lean = self.times.median("lean")
        print(f"{'bare script, lean':<20}{lean:>9.2f}{lean / bare:>9.2f}{'':>9}  x bare")
        missed = 0
        for label, case, unit, factor, target in rows:
            if case in self.times.seconds:
                seconds = self.times.median(case)
                late = seconds * factor > target
                missed += late
                note = "  MISSED" if late else ""
                print(f"{label:<20}{seconds:>9.2f}{seconds * factor:>9.2f}{target:>9.2f}  {unit}{note}")
        return missed


def write_chain(project: Path) -> Path:
    """Write a project with one pipeline: each stage adds one to what the last one made."""
    (project / "conf" / "pipeline").mkdir(parents=True)
    (project / "conf" / "experiment").mkdir()
    (project / "chain_stages.py").write_text(
        "from __future__ import annotations\n\n\n"
        "def begin(start: int) -> dict[str, int]:\n    return {'number': start}\n\n\n"
        "def add(number: int, step: int) -> dict[str, int]:\n    return {'number': number + step}\n"
    )
    lines = ["# @package _global_", "pipeline: chain", "publish: null", "stages:"]
    for at in range(STAGES):
        call, params = ("add", "{step: 1}") if at else ("begin", "{start: 0}")
        inputs = f"{{number: n{at - 1:03}}}" if at else "{}"
        lines += [
            f"  s{at:03}:",
            f"    call: chain_stages.{call}",
            f"    params: {params}",
            f"    inputs: {inputs}",
            f"    outputs: {{number: n{at:03}}}",
        ]
    (project / "conf" / "pipeline" / "chain.yaml").write_text("\n".join(lines) + "\n")
    (project / "conf" / "experiment" / "chain.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /pipeline: chain\nname: chain\n"
    )
    return project


if __name__ == "__main__":
    sys.exit(main())
