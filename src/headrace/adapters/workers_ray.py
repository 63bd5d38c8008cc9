"""Workers of a Ray cluster: one on this machine that lasts as long as the sweep, or one that is there.

The connection is that of prefect-ray's `RayTaskRunner`. Jobs are plain functions and no Prefect tasks: a
job of a sweep makes a flow run of its own, which a task would already be inside of, and a task costs
the Prefect server tenths of a second.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from headrace.core.ports import JobDone
from headrace.errors import ConfigError

# Ray takes 127.0.0.1 for a wish to be reached from elsewhere, and announces the machine's own address;
# other systems than Linux have no second loopback address, and there Ray does not do so.
LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
KNOCK_SECONDS = 10.0  # for a cluster that is there to take a connection

Call = Callable[[Mapping[str, Any]], Any]


class RayWorkers:
    """Hands jobs to Ray, which keeps the processes of a sweep and starts others for those that die.

    Each job takes one CPU of the cluster, runs in the main thread of its process, and is tried once.
    A cluster on this machine announces itself on the loopback interface only; Ray's own services listen
    on all of them, and want a token.

    Args:
        size: Jobs side by side; None: as many as the cluster has CPUs.
        call: An importable function of one payload, also on the workers.
        address: Of the cluster, such as `ray://host:10001`, or `auto`; None: a cluster on this machine.

    Raises:
        ConfigError: where no cluster answers.
    """

    def __init__(self, size: int | None, call: Call, address: str | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._call = call
        self._waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._running: dict[Any, int] = {}  # number by what Ray calls a reference
        self._stack = ExitStack()
        with _signals_kept():
            self._connect(size, address)
        self.size = size or max(1, int(ray.cluster_resources().get("CPU", 1)))
        # A worker that dies is the sweep's to count.
        self._remote = ray.remote(perform).options(num_cpus=1, max_retries=0)

    def _connect(self, size: int | None, address: str | None) -> None:
        from prefect_ray import RayTaskRunner

        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        here = {
            "address": "local",  # not the one that RAY_ADDRESS names
            "num_cpus": size,
            "include_dashboard": False,
            "_node_ip_address": LOOPBACK,
        }
        if address is None:
            self._stack.enter_context(RayTaskRunner(init_kwargs=quiet | here))
            return
        try:
            _knock(address)
            self._stack.enter_context(RayTaskRunner(init_kwargs=quiet | {"address": address}))
        except (OSError, ValueError, RuntimeError) as error:
            found = f"no Ray cluster answers at {address} ({error})"
            # Ray gives its token to no address unless told to.
            hint = "type: ray start --head; for one that wants a token, set RAY_AUTH_MODE=token"
            raise ConfigError.one("runtime.address", found, hint) from error

    def submit(self, number: int, payload: Mapping[str, Any]) -> None:
        self._waiting.append((number, payload))
        self._hand_out()

    def wait(self, seconds: float | None = None) -> JobDone | None:
        import ray

        if not self._running:
            time.sleep(seconds or 0.0)
            return None
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        if not ready:
            return None
        number = self._running.pop(ready[0])
        self._hand_out()
        return _told(number, ready[0])

    def interrupt(self) -> None:
        import ray

        self._waiting.clear()
        for job in self._running:
            ray.cancel(job)  # a SIGINT, in effect

    def close(self) -> None:
        import ray

        self._waiting.clear()
        for job in self._running:
            ray.cancel(job, force=True)
        self._running.clear()
        self._stack.close()

    def _hand_out(self) -> None:
        while self._waiting and len(self._running) < self.size:
            number, payload = self._waiting.popleft()
            self._running[self._remote.remote(self._call, payload)] = number


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens at an address: Ray itself would try for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), KNOCK_SECONDS).close()


def perform(call: Call, payload: Mapping[str, Any]) -> Any:
    """Do one job, in a worker."""
    return call(payload)


def _told(number: int, job: Any) -> JobDone:
    import ray
    from ray.exceptions import RayTaskError, TaskCancelledError

    try:
        return JobDone(number=number, result=ray.get(job))
    except RayTaskError as error:
        return JobDone(number=number, error=error.cause)
    except TaskCancelledError as error:
        return JobDone(number=number, error=error)
    except ray.exceptions.RayError as error:  # of the process, its machine or its memory
        return JobDone(number=number, error=error, lost=True)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what SIGTERM does: Ray would let it leave the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
