"""The servers that are compared, each a process of its own on a free loopback port, with the same model."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.project import MODEL, Bodies, Project

HERE = Path(__file__).parent
READY_SECONDS = 120.0
STOP_SECONDS = 40.0
POLL_SECONDS = 0.01
SAVE_MLFLOW = """
import joblib, mlflow, sys
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], serialization_format="cloudpickle")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to serve: how it starts, where it is asked, with which body, and how it says labels."""

    name: str
    start: Callable[[Project, int], Sequence[str]]  # the command for a port
    body: Callable[[Bodies], Path]
    labels: Callable[[bytes], list[Any]]  # from the answer
    path: str = "/predict"
    ready: str = "/health/ready"
    media: str = "application/json"
    env: Mapping[str, str] = field(default_factory=dict)
    peer: bool = False
    by_column: bool = False  # how rows are laid out in the body


def headrace(name: str, *words: str, layout: str = "records") -> Kind:
    """The service, asked with `records`, `columns` or `arrow`."""
    arrow = layout == "arrow"
    return Kind(
        name=name,
        start=lambda _, port: (
            *(sys.executable, "-m", "flows.serve", f"model={MODEL}@production", f"port={port}"),
            *words,
        ),
        body=lambda bodies: getattr(bodies, layout),
        labels=_read_arrow if arrow else lambda answer: json.loads(answer)["predictions"],
        media="application/vnd.apache.arrow.stream" if arrow else "application/json",
        by_column=layout != "records",
    )


def plain() -> Kind:
    app = ("-m", "uvicorn", "plain:app", "--app-dir", str(HERE), "--no-access-log", "--log-level", "warning")
    return Kind(
        name="plain FastAPI",
        start=lambda _, port: (sys.executable, *app, "--port", str(port)),
        body=lambda bodies: bodies.records,
        labels=lambda answer: json.loads(answer)["predictions"],
        ready="/ready",
    )


def mlserver(python: Path, batching: bool) -> Kind:
    """MLServer in one process; its adaptive batching waits 2 ms for others, or is off as by default."""

    def start(project: Project, port: int) -> Sequence[str]:
        folder = project.folder / f"mlserver-{port}"
        folder.mkdir()
        settings = {
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "parallel_workers": 0,
            "debug": False,
        }
        model: dict[str, Any] = {
            "name": MODEL,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(project.pickled)},
        }
        if batching:
            model |= {"max_batch_size": 64, "max_batch_time": 0.002}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return (str(python.with_name("mlserver")), "start", str(folder))

    return Kind(
        name="MLServer, batching" if batching else "MLServer",
        start=start,
        body=lambda bodies: bodies.v2,
        labels=lambda answer: json.loads(answer)["outputs"][0]["data"],
        path=f"/v2/models/{MODEL}/infer",
        ready=f"/v2/models/{MODEL}/ready",
        peer=True,
        by_column=True,
    )


def mlflow(python: Path) -> Kind:
    """`mlflow models serve` with one worker, in the environment that it has."""

    def start(project: Project, port: int) -> Sequence[str]:
        folder = project.folder / "mlflow-model"
        if not folder.is_dir():
            command = [str(python), "-c", SAVE_MLFLOW, str(project.pickled), str(folder)]
            subprocess.run(command, cwd=project.folder, check=True, timeout=READY_SECONDS)
        served = ("models", "serve", "-m", str(folder), "--env-manager", "local", "-w", "1", "-p", str(port))
        return (str(python.with_name("mlflow")), *served)

    return Kind(
        name="mlflow models serve",
        start=start,
        body=lambda bodies: bodies.mlflow,
        labels=lambda answer: json.loads(answer)["predictions"],
        path="/invocations",
        ready="/ping",
        env={"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
        peer=True,
    )


class Server:
    """A server that runs, until `stop`."""

    def __init__(self, kind: Kind, project: Project) -> None:
        self.kind, self.project, self.port = kind, project, free_port()
        command = list(kind.start(project, self.port))
        name = "".join(letter if letter.isalnum() else "-" for letter in kind.name)
        self.log = project.folder / f"{name}-{self.port}.log"
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=project.folder,
                env={**project.env, **kind.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait(began)
        except BaseException:
            self.stop()
            raise
        self.seconds_to_ready = time.perf_counter() - began

    def check(self, bodies: Bodies) -> None:
        """Raise `RuntimeError` unless the server says the labels that the model says."""
        found = [str(label) for label in self.kind.labels(self.ask(self.kind.body(bodies).read_bytes()))]
        if found != bodies.expected:
            raise RuntimeError(f"{self.kind.name} says {found[:3]}, and the model {bodies.expected[:3]}")

    def asked_as(self, kind: Kind) -> Server:
        """Return the same server, asked in another way; it is not to be stopped."""
        other = copy.copy(self)
        other.kind = kind
        return other

    def ask(self, body: bytes) -> bytes:
        request = urllib.request.Request(
            self.url(self.kind.path), body, {"content-type": self.kind.media}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{self.kind.name}: {error.code} {error.read()[:500]!r}") from error

    def load(
        self, bodies: Bodies, connections: int, *, seconds: float | None = None, requests: int | None = None
    ) -> dict[str, Any]:
        """Let a second process ask, and return what came of it."""
        return finish_load(self.begin_load(bodies, connections, seconds=seconds, requests=requests))

    def begin_load(
        self, bodies: Bodies, connections: int, *, seconds: float | None = None, requests: int | None = None
    ) -> subprocess.Popen[str]:
        words = ["--port", str(self.port), "--path", self.kind.path, "--type", self.kind.media]
        words += ["--body", str(self.kind.body(bodies)), "--connections", str(connections)]
        words += ["--seconds", str(seconds)] if seconds is not None else []
        words += ["--requests", str(requests)] if requests is not None else []
        command = [sys.executable, str(HERE / "load.py"), *words]
        return subprocess.Popen(command, env=self.project.env, stdout=subprocess.PIPE, text=True)

    def megabytes(self) -> float:
        """Return the resident memory of the process and its children."""
        import psutil

        root = psutil.Process(self.process.pid)
        return float(sum(one.memory_info().rss for one in (root, *root.children(recursive=True)))) / 1e6

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> int:
        """Ask it to stop, then make it; return the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()

    def _wait(self, began: float) -> None:
        while time.perf_counter() - began < READY_SECONDS:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url(self.kind.ready), timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(POLL_SECONDS)
        raise RuntimeError(
            f"{self.kind.name} did not start:\n{self.log.read_text('utf-8', 'replace')[-2000:]}"
        )


def finish_load(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a load, and return what came of it."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the load ended with an error")
    found: dict[str, Any] = json.loads(said)
    return found


def _read_arrow(answer: bytes) -> list[Any]:
    import pyarrow as pa

    with pa.ipc.open_stream(answer) as reader:
        labels: list[Any] = reader.read_all()["prediction"].to_pylist()
    return labels


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
