"""The servers that are compared, each a process of its own on a free port, all with one model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", ".", "benchmarks")),
    # One thread a call, for everyone: the cores are for the servers and the load.
    "OMP_NUM_THREADS": "1",
}
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """How one is started: `{port}` in its words is the port, `{name}` its own name."""

    name: str
    words: Sequence[str]


def servers(model: str, onnx: bool) -> list[Server]:
    """Return the servers, the one that all are compared with first."""
    plain = ["uvicorn", "serving.plain:app", "--no-access-log", "--log-level", "warning"]
    plain += ["--loop", "uvloop", "--http", "httptools", "--port", "{port}"]
    ours = ["flows.serve", f"model={model}", "port={port}"]
    found = [
        Server("plain FastAPI", plain),
        Server("headrace", [*ours, "log.on=false"]),
        Server("headrace, with its log", ours),
    ]
    return [*found, Server("headrace, ONNX", [*ours, "log.on=false", "engine=onnx"])] if onnx else found


@contextmanager
def started(found: Sequence[Server], model: str, folder: Path) -> Iterator[tuple[Mapping[str, int], float]]:
    """Start all of them; gives their ports, and the seconds that `headrace` took from its start to ready."""
    processes, ports, cold = [], {}, 0.0
    try:
        for server in found:
            port = free_port()
            words = [word.format(port=port) for word in server.words]
            began = time.perf_counter()
            said = (folder / f"{port}.log").open("wb")
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=folder,
                env=ENVIRONMENT | {"BENCH_MODEL": model},
                stdout=said,
                stderr=said,
            )
            processes.append(process)
            wait_for(process, port, folder)
            if server.name == "headrace":
                cold = time.perf_counter() - began
            ports[server.name] = port
        yield ports, cold
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(60)


def wait_for(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Wait until a server answers, with whatever status."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
        except HTTPError as error:
            if error.code == 404:  # the plain app has no such page, and answers
                return
        except (URLError, OSError):
            pass
        else:
            return
        time.sleep(0.02)
    raise SystemExit((folder / f"{port}.log").read_text()[-3000:])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
