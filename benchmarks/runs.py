"""Time `headrace runs` over many records: without an index, with one, and with one new record.

Usage: python benchmarks/runs.py [--records 10000] [--rounds 5]

Each time is that of the whole command in a process of its own. Beside it stands what it would take to
read every record, which is what a list without an index does at each call.
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
TARGET_SECONDS = 1.0
STAGES = 8
COMMAND = (
    sys.executable,
    "-c",
    "from headrace.cli import main; main()",
    "runs",
    "--sort",
    "metrics.accuracy",
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        folder = Path(temporary)
        runs = folder / ".headrace" / "runs"
        for number in range(options.records):
            write_record(runs, number)
        index = folder / ".headrace" / "cache" / "runs.json"

        def forget() -> None:
            index.unlink(missing_ok=True)

        one_more = iter(range(options.records, options.records + options.rounds))
        reading = time_of(options.rounds, lambda: None, lambda: read_all(runs))
        cold = time_of(options.rounds, forget, lambda: ask(folder))
        warm = time_of(options.rounds, lambda: None, lambda: ask(folder))
        grown = time_of(options.rounds, lambda: write_record(runs, next(one_more)), lambda: ask(folder))
        size = index.stat().st_size
    print(f"headrace runs over {options.records:,} records; medians of {options.rounds}\n")
    print("| case | seconds | against reading all |\n|---|---|---|")
    print(f"| read and parse every file, in this process | {reading:.2f} | 1 |")
    for name, seconds in (("no index yet", cold), ("index", warm), ("index, one new record", grown)):
        print(f"| `headrace runs`, {name} | {seconds:.2f} | {seconds / reading:.2f} |")
    print(f"\nthe index: {size / 1e6:.1f} MB; without it the command takes {cold / warm:.1f} times as long")
    print(f"target: {TARGET_SECONDS:.0f} s with an index: {'met' if warm < TARGET_SECONDS else 'MISSED'}")
    return 0 if warm < TARGET_SECONDS else 1


def time_of(rounds: int, before: Callable[[], None], action: Callable[[], None]) -> float:
    """Return the median seconds of an action; what comes before each is not counted."""
    seconds = []
    for _ in range(rounds):
        before()
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def ask(folder: Path) -> None:
    done = subprocess.run(COMMAND, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) >= 20, done.stdout


def read_all(runs: Path) -> None:
    for file in runs.glob("*/run.json"):
        json.loads(file.read_bytes())


def write_record(runs: Path, number: int) -> None:
    """Write a record as large as that of a real run of eight stages."""
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    run_id = f"202611{1 + hour // 24:02}-{hour % 24:02}{minute:02}{second:02}-{number:07x}"
    file = runs / run_id / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    stages = [stage(run_id, f"stage{i}", number) for i in range(STAGES)]
    file.write_text(json.dumps({**head(run_id, number), "stages": stages}, indent=1), encoding="utf-8")


def head(run_id: str, number: int) -> dict[str, Any]:
    started = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}:{run_id[13:15]}+00:00"
    return {
        "format": 1, "id": run_id, "experiment": f"experiment{number % 7}", "pipeline": "train",
        "command": f"python -m flows.train +experiment=experiment{number % 7}", "state": "succeeded",
        "started": started, "seconds": 12.5, "seed": 7, "config": {"model": {"C": number / 100}},
        "git": {"commit": f"{number:040x}", "dirty": False, "diff": None}, "packages": {"python": "3.12"},
        "source": {"dataset": "d", "ref": "main", "commit": f"{number:064x}", "base": f"{number:064x}"},
        "resume": "", "metrics": {"accuracy": (number * 7919 % 10_000) / 10_000, "f1": 0.5, "log_loss": 0.4},
        "gate": {"passed": True, "checks": []},
        "published": {"commit": f"{number:064x}", "model": "m", "version": number, "alias": "production"},
        "prefect": {}, "wandb": {}, "sweep": None, "machine": {}, "error": None,
    }  # fmt: skip


def stage(run_id: str, name: str, number: int) -> dict[str, Any]:
    code = {f"package.module{i}": f"{number + i:064x}" for i in range(12)}
    uri = f"lake://{number:064x}/runs/{run_id}/{name}/table.parquet"
    table = {"digest": f"sha256:{number:064x}", "bytes": 1234, "codec": "parquet", "uri": uri}
    return {
        "name": name, "state": "ran", "reason": "params.C 1.0 → 3.0", "key": f"{number:064x}",
        "key_parts": {"call": f"package.{name}", "code": code, "params": {"C": 1.0}, "packages": {}},
        "seconds": 1.5, "attempts": 1, "inputs": {"table": f"sha256:{number:064x}"},
        "outputs": {"table": table}, "sources": {},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
