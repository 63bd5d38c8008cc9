"""Time the report of `flights` (336,776 rows): a run is made once, and reported on.

Usage: python benchmarks/report.py [--rows 336776] [--rounds 3]

Beside it stands what a bare script takes that reads the same tables and figures, in a process of its own as
well. The report reads them too, profiles the data, draws the pipeline, and writes one page.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROWS = 336_776
TARGET_SECONDS = 20.0
TARGET_BYTES = 6_000_000
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}

BARE = """
import json, sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
import pandas as pd
for name in ("valid", "errors", "evaluation", "figures"):
    for file in map(Path, json.loads(sys.argv[1]).get(name, [])):
        pd.read_parquet(file) if file.read_bytes()[:4] == b"PAR1" else file.read_bytes()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        folder = Path(temporary)
        rows = [] if options.rows >= ROWS else [f"dataset.rows={options.rows}"]
        call("flows.train", folder, "+experiment=flights", "runtime=inline", "tracker=none", *rows)
        record = json.loads(next((folder / ".headrace" / "runs").glob("*/run.json")).read_text())
        took = {stage["name"]: stage["seconds"] for stage in record["stages"]}
        report = time_of(options.rounds, lambda: call("flows.report", folder, "run=latest"))
        files = json.dumps(find_files(folder, record))
        bare = time_of(options.rounds, lambda: run([sys.executable, "-c", BARE, files], folder))
        page = next((folder / ".headrace" / "reports").glob("*/report.html"))
        size = page.stat().st_size
    print(f"report of flights, {options.rows:,} rows; medians of {options.rounds}\n")
    print("| what | seconds | against reading |\n|---|---|---|")
    print(f"| stage evaluate, for comparison | {took['evaluate']:.1f} | {took['evaluate'] / bare:.1f} |")
    print(f"| stage explain, for comparison | {took['explain']:.1f} | {took['explain'] / bare:.1f} |")
    print(f"| a script that reads the same artifacts | {bare:.2f} | 1 |")
    print(f"| `python -m flows.report run=latest` | {report:.2f} | {report / bare:.1f} |")
    print(f"\npage: {size / 1e6:.2f} MB (goal: under {TARGET_BYTES / 1e6:.0f})")
    met = report < TARGET_SECONDS and size < TARGET_BYTES
    print(f"goal of {TARGET_SECONDS:.0f} s and of the size: {'met' if met else 'missed'}")
    return 0 if met else 1


def find_files(folder: Path, record: dict[str, Any]) -> dict[str, list[str]]:
    """Return the local files of the artifacts that a report reads, by artifact."""
    from headrace.adapters.lake_embedded import EmbeddedLake
    from headrace.core.ports import ObjectInfo

    lake = EmbeddedLake(folder / ".headrace" / "lake")
    found: dict[str, list[str]] = {}
    for stage in record["stages"]:
        for name, artifact in stage["outputs"].items():
            commit, _, path = artifact["uri"].removeprefix("lake://").partition("/")
            listed = [info for info in lake.list(commit, prefix=path) if isinstance(info, ObjectInfo)]
            found[name] = [str(lake.local_path(commit, info.path)) for info in listed]
    return found


def call(module: str, folder: Path, *words: str) -> None:
    run([sys.executable, "-m", module, *words], folder)


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} left with {done.returncode}\n{done.stdout}{done.stderr}")


def time_of(rounds: int, action: Callable[[], None]) -> float:
    """Return the median of some rounds, in seconds; one before them warms the disk's cache."""
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    sys.exit(main())
