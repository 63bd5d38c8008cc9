"""Time the prediction service: against a plain FastAPI app, MLServer and mlflow; swaps, memory, cold start.

    python benchmarks/serve.py [--only load,log,swap,memory,cold] [--seconds 5] [--rounds 3]
        [--mlserver /path/to/python] [--mlflow /path/to/python]

Every server has the same estimator, trained and published by headrace in a project of its own, and is asked
by a second process over connections that stay open. Those that are compared run at the same time and are
asked in turns, so that a busy machine hurts all of them; medians over the rounds are shown. `MISSED` marks
a goal that was not reached, and the exit code is then 1. MLServer and mlflow want environments of their own:
`--mlserver` and `--mlflow` name the Python there; they need the same scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from services import servers
from services.project import Bodies, Project
from services.servers import Kind, Server, finish_load

CASES = ("load", "log", "swap", "memory", "cold")
CONNECTIONS = (1, 16, 64)
ROWS = (1, 1000)
SWAP_CONNECTIONS = 16
OURS, ONNX, PLAIN = "headrace", "headrace, onnx", "plain FastAPI"
COLUMNS, ARROW = "headrace, columns", "headrace, Arrow"  # the same service, asked in another way
NO_LOG = "log.on=false"
# Of the headrace service to the plain app, in requests a second for one row, by connections.
LEAST = {1: 0.9, 16: 4.0, 64: 4.0}
LEAST_ONNX = 10.0
COLD_SECONDS = 3.0
LOG_COST = 0.10
FLAT = 1.05  # memory at the end of the load to that at its first quarter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100_000, help="while the alias is swapped")
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10.0, help="of load while memory is watched")
    parser.add_argument("--mlserver", type=Path, help="Python of an environment with mlserver-sklearn")
    parser.add_argument("--mlflow", type=Path, help="Python of an environment with mlflow")
    options = parser.parse_args()
    only = options.only.split(",")
    if wrong := set(only) - set(CASES):
        parser.error(f"no case {', '.join(sorted(wrong))}; there are {', '.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        project = Project(Path(temporary))
        project.make()
        bench = ServeBench(project, options)
        for case in only:
            getattr(bench, f"time_{case}")()
        return 1 if bench.missed else 0


class ServeBench:
    """Prints each figure as soon as it is known, and counts the goals that were missed."""

    def __init__(self, project: Project, options: argparse.Namespace) -> None:
        self.project, self.options = project, options
        self.bodies = {rows: project.write_bodies(rows) for rows in ROWS}
        self.missed = 0

    # --- cases ------------------------------------------------------------------------------------

    def time_load(self) -> None:
        """Ask every server for few and many rows over few and many connections."""
        kinds = [servers.plain(), servers.headrace(OURS), servers.headrace(ONNX, "engine=onnx")]
        kinds += self._peers()
        with ExitStack() as stack:
            running = self._start_all(kinds, stack)
            ours = next(server for server in running if server.kind.name == OURS)
            others = [servers.headrace(COLUMNS, layout="columns"), servers.headrace(ARROW, layout="arrow")]
            for rows in ROWS:
                asked = running if rows == 1 else [*running, *(ours.asked_as(kind) for kind in others)]
                for server in asked:
                    server.check(self.bodies[rows])
                for connections in CONNECTIONS:
                    found = self._in_turns(asked, self.bodies[rows], connections)
                    by_column = [one.kind.name for one in asked if one.kind.peer and one.kind.by_column]
                    self._tell_load(rows, connections, found, by_column)

    def time_log(self) -> None:
        """Ask with the prediction log and without."""
        with ExitStack() as stack:
            kinds = [servers.headrace("log on"), servers.headrace("log off", NO_LOG)]
            running = self._start_all(kinds, stack)
            for rows, counts in ((1, CONNECTIONS), (1000, (16,))):
                print(f"\nthe prediction log, {rows:,} row{'s' * (rows > 1)}")
                for connections in counts:
                    found = self._in_turns(running, self.bodies[rows], connections)
                    on, off = (median(found[name], "per_second") for name in ("log on", "log off"))
                    told = f"{connections} connections: {on:.0f}/s on, {off:.0f}/s off; cost"
                    self.say(told, 1 - on / off, LOG_COST)

    def time_swap(self) -> None:
        """Move the alias again and again while requests are under way."""
        count, swaps = self.options.requests, self.options.swaps
        with ExitStack() as stack:
            server = self._start(servers.headrace(OURS, "watch_seconds=0.5"), stack)
            assert server is not None
            print(
                f"\n{count:,} requests of 1 row, {SWAP_CONNECTIONS} connections, {swaps} swaps of the alias"
            )
            loading = server.begin_load(self.bodies[1], SWAP_CONNECTIONS, requests=count)
            done = 0
            try:
                while done < swaps and loading.poll() is None:
                    version = 2 - done % 2
                    self.project.move_alias(version)
                    if self._wait_for_version(server, version):
                        done += 1
            finally:
                self.project.move_alias(1)
            result = finish_load(loading)
            told = ", ".join(f"{many} {name}" for name, many in result["failures"].items())
            self.say(f"failed of {result['requests']:,} {told}".rstrip(), result["failed"], 0)
            self.say("swaps that were not served while requests came", swaps - done, 0)
            print(f"  {result['per_second']:.0f}/s, p99 {result['p99_ms']:.1f} ms while swapping")
            self.say("exit code after SIGTERM", server.stop(), 0)

    def time_memory(self) -> None:
        """Ask for minutes, and look at the memory of the process all the time."""
        minutes = self.options.minutes
        with ExitStack() as stack:
            server = self._start(servers.headrace(OURS), stack)
            assert server is not None
            server.load(self.bodies[1], 16, seconds=min(10.0, 15 * minutes))
            print(f"\nmemory over {minutes:g} minutes, 16 connections, 1 row")
            loading = server.begin_load(self.bodies[1], 16, seconds=60 * minutes)
            samples: list[float] = []
            while loading.poll() is None:
                samples.append(server.megabytes())
                time.sleep(min(1.0, minutes))
            result = finish_load(loading)
            quarter = max(1, len(samples) // 4)
            first, last = (statistics.median(part) for part in (samples[:quarter], samples[-quarter:]))
            print(
                f"  {result['requests']:,} requests, {result['failed']} failed; {max(samples):.0f} MB at most"
            )
            self.say(f"from {first:.0f} to {last:.0f} MB", last / first, FLAT)

    def time_cold(self) -> None:
        """Start the service until it is ready."""
        print(f"\nfrom the command to ready, {self.options.rounds} times")
        for name, words in ((OURS, ()), (ONNX, ("engine=onnx",))):
            taken = []
            for _ in range(self.options.rounds):
                server = Server(servers.headrace(name, *words), self.project)
                server.stop()
                taken.append(server.seconds_to_ready)
            self.say(f"{name}, seconds", statistics.median(taken), COLD_SECONDS)

    # --- asking -----------------------------------------------------------------------------------

    def _peers(self) -> list[Kind]:
        found: list[Kind] = []
        if self.options.mlserver:
            found += [servers.mlserver(self.options.mlserver, batching) for batching in (False, True)]
        if self.options.mlflow:
            found.append(servers.mlflow(self.options.mlflow))
        for name in ("mlserver", "mlflow"):
            if not getattr(self.options, name):
                print(f"without {name}: --{name} names no Python that has it")
        return found

    def _start_all(self, kinds: Sequence[Kind], stack: ExitStack) -> list[Server]:
        return [server for kind in kinds if (server := self._start(kind, stack)) is not None]

    def _start(self, kind: Kind, stack: ExitStack) -> Server | None:
        """Start a server and hold its answers against the model's; a peer that fails is left out."""
        try:
            server = Server(kind, self.project)
            stack.callback(server.stop)
            for bodies in self.bodies.values():
                server.check(bodies)
        except (OSError, RuntimeError) as error:
            if not kind.peer:
                raise
            print(f"without {kind.name}: {error}")
            return None
        return server

    def _in_turns(
        self, running: Sequence[Server], bodies: Bodies, connections: int
    ) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {server.kind.name: [] for server in running}
        for server in running:
            server.load(bodies, connections, seconds=min(1.0, self.options.seconds))
        for _ in range(self.options.rounds):
            for server in running:
                found[server.kind.name].append(server.load(bodies, connections, seconds=self.options.seconds))
        return found

    def _wait_for_version(self, server: Server, version: int, seconds: float = 30.0) -> bool:
        body = self.bodies[1].records.read_bytes()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            if json.loads(server.ask(body))["version"] == version:
                return True
            time.sleep(0.1)
        return False

    # --- telling ----------------------------------------------------------------------------------

    def _tell_load(
        self, rows: int, connections: int, found: dict[str, list[dict[str, Any]]], by_column: Sequence[str]
    ) -> None:
        """Print a cell; a peer that gets columns is compared with headrace asked so, where it was."""
        print(f"\n{rows:,} row{'s' * (rows > 1)}, {connections} connection{'s' * (connections > 1)}")
        rates = {name: median(rounds, "per_second") for name, rounds in found.items()}
        slowest = {name: median(rounds, "p99_ms") for name, rounds in found.items()}
        for name, rounds in found.items():
            failed = sum(one["failed"] for one in rounds)
            told = f"p50 {median(rounds, 'p50_ms'):8.2f} ms, p99 {slowest[name]:8.2f} ms"
            told += f", {failed} FAILED" if failed else ""
            print(f"  {name:<22}{rates[name]:>9.0f}/s  {told}", flush=True)
        goal = LEAST[connections] if rows == 1 else None
        self.say("headrace to plain, requests a second", rates[OURS] / rates[PLAIN], goal, least=True)
        goal = LEAST_ONNX if rows == 1 else None
        self.say("onnx to plain, requests a second", rates[ONNX] / rates[PLAIN], goal, least=True)
        own = (OURS, ONNX, COLUMNS, ARROW)
        for name in found:
            if name in own or name == PLAIN:
                continue
            ours = COLUMNS if name in by_column and COLUMNS in found else OURS
            self.say(f"{ours} to {name}, requests a second", rates[ours] / rates[name], 1.0, least=True)
            self.say(f"{ours} to {name}, p99", slowest[ours] / slowest[name], 1.0)
        failed = sum(one["failed"] for name in own for one in found.get(name, ()))
        self.say("failed requests of headrace", failed, 0)

    def say(self, what: str, figure: float, limit: float | None = None, *, least: bool = False) -> None:
        late = limit is not None and (figure < limit if least else figure > limit)
        self.missed += late
        bound = "" if limit is None else f"  goal: {'at least' if least else 'at most'} {limit:g}"
        print(f"  {what:<62}{figure:>9.2f}{bound}{'  MISSED' if late else ''}", flush=True)


def median(rounds: Sequence[dict[str, Any]], name: str) -> float:
    return float(statistics.median(one[name] for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
