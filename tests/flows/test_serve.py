"""A service follows the lake without losing a request, keeps what it answered, and stops when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from flows.serve import read_settings
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.config.serve import CanaryNode, LogNode, ServeNode, as_mapping
from headrace.core.ports import MAIN, ObjectInfo
from headrace.registry import move_alias
from headrace.serving.settings import ServeSettings
from headrace.serving.status import live_services
from tests.packages import make, publish

ROOT = Path(__file__).parents[2]
ROW = {"mass": 5000.0, "island": "Dream"}


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / ".headrace" / "lake")


OUT, ERR = "out.txt", "err.txt"


def command(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start the command; what it says goes to files, for a pipe would fill up with its log."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    with (folder / OUT).open("wb") as out, (folder / ERR).open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.serve", *words],
            cwd=folder,
            env=env,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def refused(folder: Path, *words: str) -> tuple[int, str, str]:
    """Return the exit code of a command that ends by itself, and what it said."""
    code = command(folder, *words).wait(60)
    return code, (folder / OUT).read_text(), (folder / ERR).read_text()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def service(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a service and wait until it answers; end it and everything it started."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = command(folder, f"port={port}", *words)
    try:
        deadline = time.monotonic() + 60
        while not answers(url):
            said = (folder / ERR).read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        yield process, url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


class Load:
    """Asks without pause from a few threads, and keeps every answer."""

    def __init__(self, url: str, threads: int = 3) -> None:
        self.versions: list[int] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._url = url
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: int) -> None:
        """Wait until nothing but a version answers."""
        deadline = time.monotonic() + 30
        while self.versions[-3:] != [version] * 3:
            assert time.monotonic() < deadline, self.failures[:3]
            time.sleep(0.02)

    def _ask(self) -> None:
        with httpx.Client() as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(f"{self._url}/predict", json={"records": [ROW]})
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.versions.append(answer.json()["version"])
                else:
                    self.failures.append(answer.text)


def logged_rows(lake: EmbeddedLake) -> int:
    found = [info for info in lake.list(MAIN, prefix="predictions/birds/") if isinstance(info, ObjectInfo)]
    return sum(pq.read_metadata(lake.local_path(MAIN, info.path)).num_rows for info in found)


@pytest.mark.slow
def test_an_alias_that_moves_under_load_fails_no_request_and_a_stop_loses_no_prediction(
    lake: EmbeddedLake, tmp_path: Path
) -> None:
    """Versions take over while clients ask; every answered request is in the lake after SIGTERM."""
    publish(lake, make())
    publish(lake, make(5.0), "r2", alias="staging")
    with service(tmp_path, "model=birds", "watch_seconds=0.1", "log.commit_seconds=1") as (process, url):
        (told,) = live_services(tmp_path / ".headrace")
        assert (told.about["url"], told.about["models"]) == (url, ["birds@production"])
        with Load(url) as load:
            load.wait_for(1)
            for version in (2, 1, 2):
                move_alias(lake, "birds", "production", version, why="promote")
                load.wait_for(version)
        assert load.failures == []
        metrics = httpx.get(f"{url}/metrics").text
        assert 'headrace_swaps_total{model="birds"} 3.0' in metrics
        assert stop(process) == 0
        assert "serving  birds version 1" in (tmp_path / OUT).read_text()
    assert logged_rows(lake) == len(load.versions)
    assert list(live_services(tmp_path / ".headrace")) == []


@pytest.mark.slow
def test_several_workers_share_a_port_and_their_figures(lake: EmbeddedLake, tmp_path: Path) -> None:
    """Each tells what it serves, the counters are of all together, and a token is wanted of all."""
    publish(lake, make())
    words = ("model=birds", "workers=2", "log.on=false")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SERVE_TOKEN", "s3cret-of-a-test")
        with service(tmp_path, *words) as (process, url):
            deadline = time.monotonic() + 30
            while len(next(iter(live_services(tmp_path / ".headrace"))).workers) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            header = {"authorization": "Bearer s3cret-of-a-test"}
            for _ in range(12):
                # A new connection each time: the kernel gives it to either worker.
                answer = httpx.post(f"{url}/predict", json={"records": [ROW]}, headers=header)
                assert answer.status_code == 200
            assert httpx.post(f"{url}/predict", json={"records": [ROW]}).status_code == 401
            metrics = httpx.get(f"{url}/metrics", headers=header).text
            counted = 'headrace_answers_total{model="birds",route="/predict",status="200"} 12.0'
            assert counted in metrics
            assert stop(process) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["model=birds", "prot=1"], 2, "prot: there is no such key\n      did you mean port=…?"),
        (["model=birds", "port=x", "log.sample=2"], 2, "log.sample: 2.0 is no share"),
        (["model=birds", "host=0.0.0.0"], 2, "HEADRACE_SERVE_TOKEN is not set"),
        (["model=birds", "engine=onx"], 2, "did you mean engine=onnx?"),
        ([], 2, "model: has no value"),
        (["model=brids"], 1, "the lake has no model 'brids'; did you mean birds?"),
        (["model=birds@prod"], 1, "birds has no alias 'prod'; there are: production"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_listens(
    lake: EmbeddedLake, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """Every problem is named with what to type, and nothing is left behind."""
    publish(lake, make())
    found, out, err = refused(tmp_path, *words)
    assert (found, out) == (code, ""), err
    assert said in err
    assert not list((tmp_path / ".headrace" / "services").glob("*"))


def test_a_port_that_is_taken_is_told(lake: EmbeddedLake, tmp_path: Path) -> None:
    """The error says what to type instead."""
    publish(lake, make())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = refused(tmp_path, "model=birds", f"port={taken.getsockname()[1]}")
    assert code == 1
    assert "Address already in use; type: port=0" in err


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_model_that_does_not_load_ends_the_command_with_the_reason(
    lake: EmbeddedLake, tmp_path: Path, workers: int
) -> None:
    """Nothing says that the service is there, whoever loads the model: this process or its workers."""
    publish(lake, make())
    code, out, err = refused(tmp_path, "model=birds", "engine=onnx", f"workers={workers}", "port=0")
    assert (code, out) == (1, ""), err
    assert "birds version 1 has no ONNX" in err
    assert "error: " in err
    assert not list((tmp_path / ".headrace" / "services").glob("*"))


def test_help_shows_every_key(tmp_path: Path) -> None:
    """What the command is for, and what its config says of each key."""
    code, out, err = refused(tmp_path, "--help")
    assert (code, err) == (0, "")
    assert "python -m flows.serve model=penguins@production" in out
    assert "max_waiting: 256  # requests of one model" in out
    assert "hydra" not in out.partition("model: ???")[2]


def test_the_defaults_of_config_schema_and_settings_are_the_same(project: Path) -> None:
    """They stand in `conf/serve.yaml`, in its dataclasses and in what a service is told."""
    found = read_settings(["model=birds"])
    place = {"lake": found.lake, "headrace_dir": str(project / ".headrace")}
    assert found == ServeSettings(models=("birds@production",), **place)
    for node, settings in (
        (ServeNode(), found),
        (LogNode(), found.log),
        (CanaryNode(), found.canary),
    ):
        said = {name: value for name, value in as_mapping(node).items() if name not in NOT_COMPARED}
        assert said == {name: getattr(settings, name) for name in said}


NOT_COMPARED = ("model", "log", "canary", "insecure", "allow_origins")
