"""The runtime without Prefect: stage functions in order, in this thread. For tests and debuggers."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from headrace.core.ports import StageCache, StageFuture, StageTask
from headrace.errors import Pruned, StageError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class InlineRuntime:
    """Runs each stage as soon as it is submitted, with its retries, and remembers its record.

    A timeout needs the main thread of a system with `setitimer`. It interrupts Python code and most
    waits; code that stays inside one C call (a long `fit`) is interrupted when that call returns.
    In any other thread a stage with a timeout runs without, and a warning says so.
    """

    def __init__(self, cache: StageCache) -> None:
        self._cache = cache

    def warm_up(self) -> None:
        pass

    def run(self, name: str, body: Callable[[], T], parameters: Mapping[str, Any], plan_markdown: str) -> T:
        return body()

    def submit(self, task: StageTask) -> StageFuture:
        """Run the stage now; its error waits in the future, an interrupt does not."""
        if task.cache and (known := self._cache.get(task.key)) is not None:
            return _Done(record=known)
        try:
            record = _with_retries(task)
        except Exception as error:
            return _Done(error=error)
        if task.cache:
            self._cache.put(task.key, record)
        return _Done(record=record)

    def info(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    record: dict[str, Any] | None = None
    error: Exception | None = None

    def result(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        assert self.record is not None
        return self.record


def _with_retries(task: StageTask) -> dict[str, Any]:
    for attempt in range(task.retries):
        try:
            return _attempt(task)
        except Pruned:
            raise
        except Exception as error:
            delay = _delay(task, attempt)
            logger.warning(
                "stage %s failed (%s: %s), try %d of %d in %g s",
                *(task.name, type(error).__name__, error, attempt + 2, task.retries + 1, delay),
            )
            time.sleep(delay)
    return _attempt(task)


def _delay(task: StageTask, attempt: int) -> float:
    """Return the pause after an attempt; the last of the delays holds for all that follow."""
    delays = task.retry_delay_seconds
    return float(delays[min(attempt, len(delays) - 1)]) if delays else 0.0


def _attempt(task: StageTask) -> dict[str, Any]:
    if task.timeout_seconds is None:
        return task.execute()
    with _time_limit(task, task.timeout_seconds):
        return task.execute()


class _TimeIsUp(Exception):
    """Raised inside the stage by the timer; never leaves this module."""


@contextmanager
def _time_limit(task: StageTask, seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        logger.warning("stage %s runs without its timeout: it is not in the main thread", task.name)
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    # Whoever waits on the alarm already (a test runner's limit) keeps it, less the time used here.
    started = time.monotonic()
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise StageError(
            f"{task.name} took longer than its timeout_seconds ({seconds:g}); to allow more, set "
            f"stages.{task.name}.timeout_seconds"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - started), math.ulp(1.0)))
