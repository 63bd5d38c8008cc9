"""Workers that are processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.workers_process import ProcessWorkers
from headrace.core.ports import JobDone, Workers


def act(payload: Mapping[str, Any]) -> Any:
    """What the workers of these tests do: one of a few things."""
    what = payload["do"]
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise ValueError(payload["text"])
    if what == "variable":
        return os.environ.get(payload["name"])
    if what == "wait":
        return _wait_for(Path(payload["file"]))
    if what == "stop":
        return _until_stopped(Path(payload["file"]))
    return os.getpid()


def _wait_for(file: Path) -> int:
    file.with_suffix(f".{os.getpid()}").touch()
    while not file.exists():
        time.sleep(0.01)
    return os.getpid()


def _until_stopped(started: Path) -> str:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    started.touch()
    try:
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        return "stopped"


@pytest.fixture
def two() -> Iterator[ProcessWorkers]:
    workers = ProcessWorkers(2, act)
    yield workers
    workers.close()


def collect(workers: Workers, count: int) -> dict[int, JobDone]:
    found = {}
    for _ in range(count):
        done = workers.wait(60)
        assert done is not None
        found[done.number] = done
    return found


def test_processes_are_kept_from_job_to_job() -> None:
    """One worker does all its jobs in one process, which is not this one."""
    workers = ProcessWorkers(1, act)
    for number in range(5):
        workers.submit(number, {"do": "tell"})
    pids = {done.result for done in collect(workers, 5).values()}
    workers.close()
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_jobs_run_side_by_side(two: ProcessWorkers, tmp_path: Path) -> None:
    """Two workers are at two jobs at the same time, and a third one waits for a free worker."""
    file = tmp_path / "go"
    for number in range(3):
        two.submit(number, {"do": "wait", "file": str(file)})
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.01)
    assert two.wait(0.2) is None
    assert len(list(tmp_path.iterdir())) == 2
    file.touch()
    assert len({done.result for done in collect(two, 3).values()}) == 2


def test_an_exception_is_the_job_s_own(two: ProcessWorkers) -> None:
    """What a job raises comes out as its error, and its worker goes on."""
    two.submit(0, {"do": "raise", "text": "no"})
    done = collect(two, 1)[0]
    assert isinstance(done.error, ValueError)
    assert not done.lost
    two.submit(1, {"do": "tell"})
    assert collect(two, 1)[1].error is None


def test_a_death_takes_one_job(two: ProcessWorkers, tmp_path: Path) -> None:
    """A killed worker loses its own job only, and is replaced."""
    file = tmp_path / "go"
    two.submit(0, {"do": "wait", "file": str(file)})
    two.submit(1, {"do": "die"})
    lost = collect(two, 1)[1]
    assert lost.lost
    two.submit(2, {"do": "tell"})
    assert collect(two, 1)[2].error is None
    file.touch()
    assert collect(two, 1)[0].error is None


def test_an_interrupted_job_has_its_say(two: ProcessWorkers, tmp_path: Path) -> None:
    """After an interrupt a job that handles SIGTERM still returns, and nothing that waited starts."""
    started = [tmp_path / "0", tmp_path / "1"]
    for number, file in enumerate(started):
        two.submit(number, {"do": "stop", "file": str(file)})
    two.submit(2, {"do": "tell"})
    while not all(file.exists() for file in started):
        time.sleep(0.01)
    two.interrupt()
    found = collect(two, 2)
    assert {number: done.result for number, done in found.items()} == {0: "stopped", 1: "stopped"}
    assert two.wait(0.2) is None


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    """No process outlives `close`, not even one that waits for something that never comes."""
    workers = ProcessWorkers(1, act)
    workers.submit(0, {"do": "wait", "file": str(tmp_path / "never")})
    while not (found := list(tmp_path.iterdir())):
        time.sleep(0.01)
    workers.close()
    workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(found[0].suffix[1:]), 0)


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers side by side share the cores; one alone, and what the environment says, is left alone."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    found = []
    for size in (1, 2):
        workers = ProcessWorkers(size, act)
        workers.submit(0, {"do": "variable", "name": "OMP_NUM_THREADS"})
        workers.submit(1, {"do": "variable", "name": "MKL_NUM_THREADS"})
        done = collect(workers, 2)
        workers.close()
        found.append((done[0].result, done[1].result))
    assert found == [(None, "3"), ("4", "3")]


def test_each_worker_sees_its_own_gpus() -> None:
    """`gpus` pins the devices of each worker before any library can look for them."""
    workers = ProcessWorkers(2, act, gpus=("0,1", "2,3"))
    for number in range(2):
        workers.submit(number, {"do": "variable", "name": "CUDA_VISIBLE_DEVICES"})
    found = {done.result for done in collect(workers, 2).values()}
    workers.close()
    assert found == {"0,1", "2,3"}


STARTER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from headrace.adapters.workers_process import ProcessWorkers
from test_workers_process import act
if __name__ == "__main__":
    workers = ProcessWorkers(1, act)
    workers.submit(0, {"do": "wait", "file": sys.argv[1]})
    workers.wait()
"""


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """After a `kill -9` of the parent its workers are gone too, in the middle of a job."""
    script = tmp_path / "starter.py"
    script.write_text(STARTER)
    folder = tmp_path / "jobs"
    folder.mkdir()
    starter = subprocess.Popen(
        [sys.executable, str(script), str(folder / "never"), str(Path(__file__).parent)]
    )
    while not (found := list(folder.iterdir())):
        assert starter.poll() is None
        time.sleep(0.01)
    starter.kill()
    starter.wait()
    pid = int(found[0].suffix[1:])
    for _ in range(6000):
        if not _is_alive(pid):
            return
        time.sleep(0.01)
    pytest.fail("the worker is still there a minute later")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
