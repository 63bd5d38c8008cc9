"""Ask a server the same thing over several connections for some seconds, and tell how long answers took.

Usage: python -m serving.load --port 8000 --path /predict --body body.json --connections 16

Each connection sends its next request when it has its answer (a closed loop). The client reads no more
of HTTP than the status and the length, so that it takes as little as possible of the cores it shares.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop


class Connection(asyncio.Protocol):
    """One connection that asks again and again until the time is over."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self.request, self.until, self.done = request, until, done
        self.seconds: list[float] = []
        self.failed = 0
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
        if len(body) < length:
            return
        self._buffer = b""
        self.seconds.append(time.perf_counter() - self._began)
        self.failed += head[9:12] != b"200"
        if time.perf_counter() < self.until:
            self._ask()
        else:
            self._end()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.failed += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self.request)

    def _end(self) -> None:
        self.done.set_result(None)
        self._transport.close()


async def load(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Ask, and return counts, the rate and the latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        _, one = await loop.create_connection(
            lambda d=done: Connection(request, began + seconds, d), "127.0.0.1", port
        )
        made.append((one, done))
    await asyncio.gather(*(done for _, done in made))
    took = time.perf_counter() - began
    times = np.array([value for one, _ in made for value in one.seconds]) * 1000
    p50, p99 = np.percentile(times, [50, 99]) if len(times) else (0.0, 0.0)
    return {
        "requests": len(times),
        "failed": sum(one.failed for one, _ in made),
        "per_second": len(times) / took,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--type", default="application/json")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    body = options.body.read_bytes()
    head = (
        f"POST {options.path} HTTP/1.1\r\nhost: 127.0.0.1:{options.port}\r\ncontent-type: {options.type}\r\n"
    )
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    uvloop.install()
    print(json.dumps(asyncio.run(load(options.port, request, options.connections, options.seconds))))


if __name__ == "__main__":
    main()
