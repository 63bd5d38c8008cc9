"""Workers that are processes of this machine, kept from job to job so that imports are paid once."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from headrace.core.ports import JobDone

# What numerical libraries read when they are imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")

Call = Callable[[Mapping[str, Any]], Any]


class ProcessWorkers:
    """Runs jobs in processes that are replaced when they die, and end with this one.

    A process starts when it is first needed, or at once where it is to be warmed up.

    Where several run side by side, each gets its share of the cores for the threads of numerical
    libraries, unless the environment says how many.

    Args:
        size: Jobs side by side.
        call: An importable function of one payload.
        gpus: For each worker, the devices it may see (`CUDA_VISIBLE_DEVICES`); empty: all.
        warm_up: Called in each process before its first job; raises nothing.
    """

    def __init__(
        self,
        size: int,
        call: Call,
        gpus: Sequence[str] = (),
        warm_up: Callable[[], object] | None = None,
    ) -> None:
        self.size = size
        self._call = call
        environments = [_environment(size, gpus[slot] if gpus else None) for slot in range(size)]
        self._slots = [_Slot(environment, warm_up) for environment in environments]
        self._waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._done: queue.SimpleQueue[tuple[_Slot, int, Future[Any]]] = queue.SimpleQueue()

    def submit(self, number: int, payload: Mapping[str, Any]) -> None:
        self._waiting.append((number, payload))
        self._hand_out()

    def wait(self, seconds: float | None = None) -> JobDone | None:
        try:
            slot, number, future = self._done.get(timeout=seconds)
        except queue.Empty:
            return None
        slot.busy = False
        error = future.exception()
        lost = isinstance(error, BrokenProcessPool)
        if lost:
            slot.close()
        self._hand_out()
        if error is not None:
            return JobDone(number=number, error=error, lost=lost)
        return JobDone(number=number, result=future.result())

    def interrupt(self) -> None:
        self._waiting.clear()
        for process in self._busy():
            process.terminate()

    def close(self) -> None:
        self._waiting.clear()
        for process in self._busy():
            process.kill()
        for slot in self._slots:
            slot.close()

    def _busy(self) -> list[BaseProcess]:
        return [process for slot in self._slots if slot.is_at_work() for process in slot.processes()]

    def _hand_out(self) -> None:
        for slot in self._slots:
            if not self._waiting:
                return
            if not slot.busy:
                number, payload = self._waiting.popleft()
                slot.busy = True
                future = slot.submit(self._call, payload)
                future.add_done_callback(lambda f, s=slot, n=number: self._done.put((s, n, f)))  # type: ignore[misc]


class _Slot:
    """One worker: a pool of one process, so that one that dies takes no other's job with it."""

    def __init__(self, environment: Mapping[str, str], warm_up: Callable[[], object] | None) -> None:
        self.busy = False
        self._environment = environment
        self._warm_up = warm_up
        self._warming: Future[object] | None = None
        self._pool: ProcessPoolExecutor | None = None
        if warm_up is not None:
            self.pool()

    def is_at_work(self) -> bool:
        return self.busy or (self._warming is not None and not self._warming.done())

    def submit(self, call: Call, payload: Mapping[str, Any]) -> Future[Any]:
        try:
            return self.pool().submit(_perform, call, payload)
        except BrokenProcessPool:  # the process died while it had no job: nothing is lost
            self.close()
            return self.pool().submit(_perform, call, payload)

    def pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=get_context("spawn"),
                initializer=_begin,
                initargs=(dict(self._environment),),
            )
            if self._warm_up is not None:
                self._warming = self._pool.submit(self._warm_up)
        return self._pool

    def processes(self) -> list[BaseProcess]:
        # Public only from Python 3.14 on, as `terminate_workers`.
        return list((self._pool._processes or {}).values()) if self._pool else []

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _environment(size: int, gpus: str | None) -> dict[str, str]:
    found = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
    if size > 1:
        threads = str(max(1, (os.cpu_count() or 1) // size))
        found |= {name: threads for name in THREAD_VARIABLES if name not in os.environ}
    return found


def _begin(environment: Mapping[str, str]) -> None:
    """Set a new process up before it imports anything that reads its environment."""
    os.environ.update(environment)
    # An interrupt from the keyboard reaches every process of the terminal; a run handles it itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _perform(call: Call, payload: Mapping[str, Any]) -> Any:
    """Do one job, which `interrupt` reaches as a `KeyboardInterrupt`."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return call(payload)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even by a kill: nobody wants its results."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
