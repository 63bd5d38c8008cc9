"""Ask a server the same thing over several connections, and tell how long the answers took.

    python benchmarks/services/load.py --port 8000 --path /predict --body rows.json --connections 16

It is a process of its own, so that its work is not the server's. Each connection sends its next request
when it has its answer (a closed loop), and no more of HTTP is read than status and length: what the client
takes of the cores that it shares with the server would otherwise hide how quick servers differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

WAIT_SECONDS = 60.0  # for an answer, after which the connection counts as hung


class Limits:
    """When a load ends: after so many requests in all, or at a time."""

    def __init__(self, requests: int | None, seconds: float | None) -> None:
        self._left = requests
        self._until = None if seconds is None else time.perf_counter() + seconds

    def take(self) -> bool:
        """Tell whether one more request is to be sent, and count it."""
        if self._until is not None and time.perf_counter() >= self._until:
            return False
        if self._left is not None:
            if self._left <= 0:
                return False
            self._left -= 1
        return True


class Connection(asyncio.Protocol):
    """One connection that asks again and again."""

    def __init__(self, request: bytes, limits: Limits, done: asyncio.Future[None]) -> None:
        self.seconds: list[float] = []
        self.failures: Counter[str] = Counter()
        self._request, self._limits, self._done = request, limits, done
        self._parts: list[bytes] = []
        self._missing = -1  # bytes of the answer; below 0 its length is not known yet
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._missing < 0:
            answer = b"".join(self._parts)
            head, found, body = answer.partition(b"\r\n\r\n")
            if not found:
                return
            self._parts = [answer]
            length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length or b"0") - len(body)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._take(b"".join(self._parts))

    def connection_lost(self, _: Exception | None) -> None:
        if not self._done.done():
            self.failures["connection lost"] += 1
            self._done.set_result(None)

    def _take(self, answer: bytes) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        if answer[9:12] != b"200":
            self.failures[answer[9:12].decode("latin-1")] += 1
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        if not self._limits.take():
            if not self._done.done():
                self._done.set_result(None)
            self._transport.close()
            return
        self._parts, self._missing = [], -1
        self._began = time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, request: bytes, connections: int, limits: Limits) -> dict[str, object]:
    """Ask, and return what came of it; times are in milliseconds."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made: list[tuple[Connection, asyncio.Future[None]]] = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        one = Connection(request, limits, done)
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
        made.append((one, done))
    answered = -1
    everything = asyncio.gather(*(done for _, done in made))
    while not everything.done():  # a server that hangs is a result too
        await asyncio.wait([everything], timeout=WAIT_SECONDS)
        before, answered = answered, sum(len(one.seconds) for one, _ in made)
        if not everything.done() and answered == before:
            everything.cancel()
            break
    took = time.perf_counter() - began
    failures: Counter[str] = Counter()
    for one, done in made:
        failures += one.failures
        failures["no answer"] += done.cancelled()
    times = 1000 * np.array([value for one, _ in made for value in one.seconds] or [0.0])
    p50, p99 = np.percentile(times, [50, 99])
    return {
        "requests": sum(len(one.seconds) for one, _ in made),
        "failed": sum(failures.values()),
        "failures": {name: count for name, count in failures.items() if count},
        "seconds": took,
        "per_second": sum(len(one.seconds) for one, _ in made) / took,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--type", default="application/json")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="how long")
    parser.add_argument("--requests", type=int, help="how many in all")
    options = parser.parse_args()
    body = options.body.read_bytes()
    head = (
        f"POST {options.path} HTTP/1.1\r\nhost: 127.0.0.1:{options.port}\r\ncontent-type: {options.type}\r\n"
    )
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    limits = Limits(options.requests, options.seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load(options.port, request, options.connections, limits))))


if __name__ == "__main__":
    main()
