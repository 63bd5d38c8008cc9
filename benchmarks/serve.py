"""Time the service against a plain FastAPI app with the same model, load from a second process.

Usage: python benchmarks/serve.py [--seconds 5] [--rounds 3] [--rows 1,1000] [--connections 1,16,64]

`penguins` is trained and published once. Then every server is asked in turns, so that a busy machine hurts
all of them; medians of the rounds are compared. The plain app checks nothing and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.servers import ENVIRONMENT, Server, servers, started

MODEL = "penguins"
PLAIN = "plain FastAPI"
# Of the rate of the plain app, on one row.
GOALS = {("headrace", 1): 0.9, ("headrace", 16): 4.0, ("headrace", 64): 4.0, ("headrace, ONNX", 1): 10.0}
LOG_COSTS, COLD_SECONDS = 0.1, 3.0

Figures = dict[tuple[int, int, str], dict[str, float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default="1,1000")
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--no-onnx", action="store_true", help="leave out the engine onnx")
    options = parser.parse_args()
    cases = [(rows, at) for rows in numbers(options.rows) for at in numbers(options.connections)]
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        folder = Path(temporary)
        train(folder, onnx=not options.no_onnx)
        found = servers(MODEL, onnx=not options.no_onnx)
        with started(found, MODEL, folder) as (ports, cold):
            write_bodies(folder, numbers(options.rows))
            figures = measure(found, ports, cases, folder, options.seconds, options.rounds)
    print_table(figures, found, cases)
    return print_goals(figures, cold)


def train(folder: Path, onnx: bool) -> None:
    """Publish the model in a project of its own."""
    words = [
        "+experiment=penguins",
        "runtime=inline",
        "tracker=none",
        *(["stages/package=onnx"] if onnx else []),
    ]
    call = [sys.executable, "-m", "flows.train", *words]
    done = subprocess.run(call, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])


def write_bodies(folder: Path, sizes: list[int]) -> None:
    """Write a request of each size: the model's own example, again and again."""
    code = (
        "import json; from headrace import load_model; from headrace.serving.models_page import example_of; "
        f"print(json.dumps(example_of(load_model('{MODEL}'))['records'][0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    row = json.loads(done.stdout)
    for size in sizes:
        (folder / f"{size}.json").write_text(json.dumps({"records": [row] * size}))


def measure(
    found: list[Server],
    ports: Mapping[str, int],
    cases: list[tuple[int, int]],
    folder: Path,
    seconds: float,
    rounds: int,
) -> Figures:
    """Ask every server in turns; return the medians of the rounds."""
    taken: dict[tuple[int, int, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for rows, connections in cases:
            for server in found:
                one = load(ports[server.name], folder / f"{rows}.json", connections, seconds)
                taken.setdefault((rows, connections, server.name), []).append(one)
    return {
        case: {name: statistics.median(one[name] for one in each) for name in each[0]}
        | {"failed": sum(one["failed"] for one in each)}
        for case, each in taken.items()
    }


def load(port: int, body: Path, connections: int, seconds: float) -> dict[str, float]:
    """Load a server from another process."""
    words = [
        "--port",
        str(port),
        "--body",
        str(body),
        "--connections",
        str(connections),
        "--seconds",
        str(seconds),
    ]
    call = [sys.executable, "-m", "serving.load", *words]
    done = subprocess.run(call, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def print_table(figures: Figures, found: list[Server], cases: list[tuple[int, int]]) -> None:
    print("| rows | connections | server | requests/s | of plain | p50 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|---|")
    for rows, connections in cases:
        for server in found:
            one = figures[rows, connections, server.name]
            ratio = one["per_second"] / figures[rows, connections, PLAIN]["per_second"]
            print(
                f"| {rows:,} | {connections} | {server.name} | {one['per_second']:.0f} | {ratio:.2f} "
                f"| {one['p50_ms']:.1f} | {one['p99_ms']:.1f} | {one['failed']:.0f} |"
            )


def print_goals(figures: Figures, cold: float) -> int:
    """Say which goals are met; returns how many are not."""
    lines: list[tuple[bool, str]] = [
        (cold <= COLD_SECONDS, f"ready after {cold:.1f} s, wanted {COLD_SECONDS:g}")
    ]
    rates: dict[Any, float] = {case: one["per_second"] for case, one in figures.items()}
    for (name, connections), wanted in GOALS.items():
        if (1, connections, name) in rates:
            ratio = rates[1, connections, name] / rates[1, connections, PLAIN]
            told = f"{name}, 1 row, {connections} connections: {ratio:.2f} of plain, wanted {wanted:g}"
            lines.append((ratio >= wanted, told))
    costs = [
        1 - rates[rows, at, "headrace, with its log"] / rates[rows, at, "headrace"]
        for rows, at, name in rates
        if name == "headrace"
    ]
    cost = statistics.median(costs)
    lines.append(
        (cost <= LOG_COSTS, f"the log costs {cost:.1%} (median of the cases), wanted {LOG_COSTS:.0%}")
    )
    failed = sum(one["failed"] for one in figures.values())
    lines.append((failed == 0, f"{failed:.0f} requests failed, wanted 0"))
    print()
    for met, told in lines:
        print(f"{'✓' if met else '✗'} {told}")
    return sum(not met for met, _ in lines)


def numbers(words: str) -> list[int]:
    return [int(word) for word in words.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())
