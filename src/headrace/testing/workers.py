"""The contract of every adapter that calls a function on payloads elsewhere: port `Workers`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from headrace.core.ports import JobDone, Workers

T = TypeVar("T")
PATIENCE_SECONDS = 90.0  # a cluster starts processes, which import


def act(payload: Mapping[str, Any]) -> Any:
    """Do what the suite wants a worker to do: one of a few things."""
    what = payload["do"]
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise ValueError(payload["text"])
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
    started.touch()
    try:
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        return "stopped"


def collect(workers: Workers, count: int) -> dict[int, JobDone]:
    """Wait for some jobs; return them by number."""
    found = {}
    for _ in range(count):
        done = workers.wait(PATIENCE_SECONDS)
        assert done is not None, "no job is done"
        found[done.number] = done
    return found


def until(look: Callable[[], T]) -> T:
    """Return the first true answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


class WorkersContract:
    """Holds for two workers of any kind. A subclass gives `two`, whose function is `act`."""

    def test_processes_are_kept_from_job_to_job(self, two: Workers) -> None:
        """Jobs are done by two processes at most, neither of which is this one."""
        for number in range(6):
            two.submit(number, {"do": "tell"})
        pids = {done.result for done in collect(two, 6).values()}
        assert len(pids) <= 2
        assert os.getpid() not in pids

    def test_jobs_run_side_by_side(self, two: Workers, tmp_path: Path) -> None:
        """Two jobs run at the same time, in two processes, and a third one waits for its turn."""
        file = tmp_path / "go"
        for number in range(3):
            two.submit(number, {"do": "wait", "file": str(file)})
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        assert two.wait(0.3) is None
        assert len(list(tmp_path.iterdir())) == 2
        file.touch()
        assert len({done.result for done in collect(two, 3).values()}) == 2

    def test_an_exception_is_the_jobs_own(self, two: Workers) -> None:
        """What a job raises comes out as its error, and its worker goes on."""
        two.submit(0, {"do": "raise", "text": "no"})
        done = collect(two, 1)[0]
        assert isinstance(done.error, ValueError)
        assert str(done.error) == "no"
        assert not done.lost
        two.submit(1, {"do": "tell"})
        assert collect(two, 1)[1].error is None

    def test_a_death_takes_one_job(self, two: Workers, tmp_path: Path) -> None:
        """A killed worker loses its own job only, and is replaced."""
        file = tmp_path / "go"
        two.submit(0, {"do": "wait", "file": str(file)})
        until(lambda: list(tmp_path.iterdir()))
        two.submit(1, {"do": "die"})
        lost = collect(two, 1)[1]
        assert lost.lost
        assert lost.error is not None
        two.submit(2, {"do": "tell"})
        assert collect(two, 1)[2].error is None
        file.touch()
        assert collect(two, 1)[0].error is None

    def test_an_interrupted_job_has_its_say(self, two: Workers, tmp_path: Path) -> None:
        """After an interrupt a job still returns what it has to say, and nothing that waited starts."""
        started = [tmp_path / "0", tmp_path / "1"]
        for number, file in enumerate(started):
            two.submit(number, {"do": "stop", "file": str(file)})
        two.submit(2, {"do": "tell"})
        until(lambda: all(file.exists() for file in started))
        two.interrupt()
        found = collect(two, 2)
        assert {number: done.result for number, done in found.items()} == {0: "stopped", 1: "stopped"}
        assert two.wait(0.3) is None
