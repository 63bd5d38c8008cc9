"""Workers that are processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.workers_process import ProcessWorkers
from headrace.testing.workers import WorkersContract, act, collect, until


def tell(payload: Mapping[str, Any]) -> Any:
    """Return a variable of the worker's environment, or do what the contract wants."""
    return os.environ.get(payload["name"]) if payload["do"] == "variable" else act(payload)


class TestProcessWorkers(WorkersContract):
    """Two processes hold to the contract."""

    @pytest.fixture
    def two(self) -> Iterator[ProcessWorkers]:
        workers = ProcessWorkers(2, act)
        yield workers
        workers.close()


def test_one_worker_is_one_process() -> None:
    """It does all its jobs in one process."""
    workers = ProcessWorkers(1, act)
    for number in range(5):
        workers.submit(number, {"do": "tell"})
    assert len({done.result for done in collect(workers, 5).values()}) == 1
    workers.close()


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    """No process outlives `close`, not even one that waits for something that never comes."""
    workers = ProcessWorkers(1, act)
    workers.submit(0, {"do": "wait", "file": str(tmp_path / "never")})
    found = until(lambda: list(tmp_path.iterdir()))
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
        workers = ProcessWorkers(size, tell)
        workers.submit(0, {"do": "variable", "name": "OMP_NUM_THREADS"})
        workers.submit(1, {"do": "variable", "name": "MKL_NUM_THREADS"})
        done = collect(workers, 2)
        workers.close()
        found.append((done[0].result, done[1].result))
    assert found == [(None, "3"), ("4", "3")]


def test_each_worker_sees_its_own_gpus() -> None:
    """`gpus` pins the devices of each worker before any library can look for them."""
    workers = ProcessWorkers(2, tell, gpus=("0,1", "2,3"))
    for number in range(2):
        workers.submit(number, {"do": "variable", "name": "CUDA_VISIBLE_DEVICES"})
    found = {done.result for done in collect(workers, 2).values()}
    workers.close()
    assert found == {"0,1", "2,3"}


STARTER = """
import sys
from headrace.adapters.workers_process import ProcessWorkers
from headrace.testing.workers import act
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
    starter = subprocess.Popen([sys.executable, str(script), str(folder / "never")])
    while not (found := list(folder.iterdir())):
        assert starter.poll() is None
        time.sleep(0.01)
    starter.kill()
    starter.wait()
    pid = int(found[0].suffix[1:])
    until(lambda: not _is_alive(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def note(folder: str) -> None:
    """Leave a file with the name of this process."""
    (Path(folder) / str(os.getpid())).touch()


def test_processes_warm_up_before_they_are_needed(tmp_path: Path) -> None:
    """Each is warmed up once, before its first job and without one; one that replaces another is too."""
    workers = ProcessWorkers(2, act, warm_up=partial(note, str(tmp_path)))
    warmed = until(lambda: len(found := {path.name for path in tmp_path.iterdir()}) == 2 and found)
    workers.submit(0, {"do": "tell"})
    assert str(collect(workers, 1)[0].result) in warmed
    workers.submit(1, {"do": "die"})
    assert collect(workers, 1)[1].lost
    for number in (2, 3):
        workers.submit(number, {"do": "tell"})
    done = {str(one.result) for one in collect(workers, 2).values()}
    assert done <= {path.name for path in tmp_path.iterdir()}
    workers.close()


def test_a_process_that_dies_without_a_job_is_replaced() -> None:
    """The next job has another process, and no error."""
    workers = ProcessWorkers(1, act)
    workers.submit(0, {"do": "tell"})
    pid = collect(workers, 1)[0].result
    os.kill(pid, signal.SIGKILL)
    until(lambda: workers._slots[0].pool()._broken)  # that it is gone takes a moment to be noticed
    workers.submit(1, {"do": "tell"})
    done = collect(workers, 1)[1]
    workers.close()
    assert done.error is None
    assert done.result != pid


def test_closing_does_not_wait_for_the_warm_up(tmp_path: Path) -> None:
    """A process that is still warming up is ended as one at a job is."""
    never = {"do": "wait", "file": str(tmp_path / "never")}
    workers = ProcessWorkers(1, act, warm_up=partial(act, never))
    (started,) = until(lambda: list(tmp_path.iterdir()))
    workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.suffix[1:]), 0)
