"""Workers of a Dask cluster: one on this machine that lasts as long as the sweep, or one that is there.

The cluster and the client are those of prefect-dask's `DaskTaskRunner`. Jobs are plain functions and no
Prefect tasks, for three reasons. A task takes 370 to 800 ms where a plain call takes 9 to 26 (measured
on two cores). A job of a sweep makes a flow run of its own, which a task would already be inside of.
And a task could neither be interrupted nor told from one whose worker died.
"""

from __future__ import annotations

import ctypes
import logging
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from headrace.core.ports import JobDone
from headrace.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Future

LOOK_SECONDS = 1.0  # between two looks at which workers are there

Call = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    number: int
    worker: str  # its address
    future: Future[Any]


class DaskWorkers:
    """Gives each worker process one job at a time, and hears of it when the process dies.

    Dask itself would give the job of a dead worker to another one, some times over; here its job is
    `lost`. A worker that joins later gets jobs too, but none are queued at the scheduler, so that an
    adaptive cluster must be told its size. On a cluster that was there before, a job that is in the
    middle of C code goes on after `close` until it is back in Python.

    Args:
        size: Jobs side by side; None: as many as the cluster has workers.
        call: An importable function of one payload, also on the workers.
        address: Of the scheduler; None: a cluster on this machine.

    Raises:
        ConfigError: where no scheduler answers, or it has no workers.
    """

    def __init__(self, size: int | None, call: Call, address: str | None = None) -> None:
        self._size = size
        self._call = call
        self._waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._running: dict[int, _Job] = {}
        self._done: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._stack = ExitStack()
        try:
            self._client: Any = self._connect(address)
            self._alive = set(self._client.nthreads())
            if not self._alive:
                found = f"the Dask cluster at {address} has no workers"
                raise ConfigError.one("runtime.address", found, "type: dask worker <address> --nthreads 1")
        except BaseException:
            self._stack.close()
            raise

    def _connect(self, address: str | None) -> Any:
        from prefect_dask.task_runners import DaskTaskRunner

        here = {
            "n_workers": self._size,
            "threads_per_worker": 1,  # what a job sets is the process's: Hydra, its folder, its output
            "processes": True,
            "host": "127.0.0.1",
            "dashboard_address": "127.0.0.1:0",  # None takes port 8787, or complains
            "silence_logs": logging.ERROR,
            "preload": [__name__],  # for `dask_setup`
        }
        runner = DaskTaskRunner(address=address) if address else DaskTaskRunner(cluster_kwargs=here)
        try:
            self._stack.enter_context(runner)
            client = runner.client
        except (OSError, ValueError) as error:
            if address is None:
                raise
            found = f"no Dask scheduler answers at {address} ({error})"
            raise ConfigError.one("runtime.address", found, "type: dask scheduler") from error
        return client

    @property
    def size(self) -> int:
        return self._size if self._size is not None else max(1, len(self._alive))

    def submit(self, number: int, payload: Mapping[str, Any]) -> None:
        self._waiting.append((number, payload))
        self._hand_out()

    def wait(self, seconds: float | None = None) -> JobDone | None:
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - time.monotonic())
            try:
                job = self._done.get(timeout=max(0.0, left))
            except queue.Empty:
                if until is not None and time.monotonic() >= until:
                    return None
                self._look()
                continue
            if self._running.get(job.number) is job:
                del self._running[job.number]
                self._hand_out()
                return _told(job)

    def interrupt(self) -> None:
        self._waiting.clear()
        busy = [job.worker for job in self._running.values()]
        if busy:
            self._client.run(interrupt_here, workers=busy, wait=False, on_error="ignore")

    def close(self) -> None:
        self._waiting.clear()
        for job in self._running.values():
            job.future.cancel()
        self._running.clear()
        self._stack.close()

    def _look(self) -> None:
        """Find out which workers are there, and which jobs were lost with theirs."""
        self._alive = set(self._client.nthreads())
        for job in self._running.values():
            if job.worker not in self._alive:
                job.future.cancel()  # else it waits for a worker of that address
                self._done.put(job)
        self._hand_out()

    def _hand_out(self) -> None:
        free = self._alive - {job.worker for job in self._running.values()}
        while self._waiting and free and len(self._running) < self.size:
            number, payload = self._waiting.popleft()
            worker = free.pop()
            future = self._client.submit(
                perform,
                self._call,
                payload,
                workers=[worker],
                pure=False,
                key=f"headrace-job-{number}-{uuid4().hex}",
            )
            job = self._running[number] = _Job(number, worker, future)
            future.add_done_callback(lambda _, job=job: self._done.put(job))


def _told(job: _Job) -> JobDone:
    from distributed import KilledWorker

    if job.future.status == "finished":
        return JobDone(number=job.number, result=job.future.result())
    error = job.future.exception() if job.future.status == "error" else None
    if error is None or isinstance(error, KilledWorker):
        gone = RuntimeError(f"the Dask worker {job.worker} is gone")
        return JobDone(number=job.number, error=error or gone, lost=True)
    return JobDone(number=job.number, error=error)


# --- in the worker ----------------------------------------------------------------------------

_one_at_a_time = threading.Lock()  # where somebody started it with several threads
_context = Context()  # what a job sets for the next one is kept; Dask would give each its own
_at_work: list[int] = []  # the thread that does a job


class JobInterrupted(RuntimeError):
    """The job was asked to stop, and has nothing to say. `KeyboardInterrupt` would end the worker."""


def perform(call: Call, payload: Mapping[str, Any]) -> Any:
    """Do one job."""
    with _one_at_a_time:
        _at_work.append(threading.get_ident())
        try:
            return _context.run(call, payload)
        except KeyboardInterrupt:
            raise JobInterrupted("interrupted") from None
        finally:
            _at_work.clear()


def dask_setup(worker: object) -> None:
    """Let Ctrl-C, which reaches every process of the terminal, not end this one: the sweep tells it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def interrupt_here() -> None:
    """Raise `KeyboardInterrupt` in the job of this worker, as soon as it is in Python code.

    A coroutine, because Dask waits for plain functions, and a worker may be stuck in C code.
    """
    for thread in list(_at_work):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
        )
