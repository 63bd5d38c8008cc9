"""Faults that a test asks for, and the queue that hands each to the requests it is meant for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal[
    "latency",
    "status",
    "status_after",
    "drop_before",
    "drop_after",
    "drop_mid_upload",
    "truncate",
    "corrupt",
    "expired",
    "gone",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the next `times` requests of one operation (None: of any).

    `operation` is an `operationId` of the swagger file, or `storage_get` and `storage_put` for
    presigned URLs. Kinds: `latency` waits `seconds` first, holding no lock; `status` answers
    `status` instead of doing it; `status_after` does it, then answers `status` all the same;
    `drop_before` and `drop_after` close the connection without an answer, before or after doing it;
    `drop_mid_upload` reads half of the body, then closes; `truncate` promises the whole download and
    sends half; `corrupt` changes one byte of it; `expired` is S3's answer to a URL past its time;
    `gone` is 410.
    """

    kind: FaultKind
    operation: str | None = None
    times: int = 1
    status: int = 500
    message: str = "branch is currently locked, try again later"
    retry_after: int | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(
                f"no such kind of fault: {self.kind!r}; there are {', '.join(get_args(FaultKind))}"
            )


class FaultQueue:
    """Faults in the order in which they were asked for. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append((fault, fault.times))

    def take(self, operation: str) -> list[Fault]:
        """Return what befalls this request: any latency that waits for it, and one other fault."""
        taken: list[Fault] = []
        with self._lock:
            kept = []
            for fault, left in self._waiting:
                first = not any((other.kind == "latency") == (fault.kind == "latency") for other in taken)
                if first and fault.operation in (None, operation):
                    taken.append(fault)
                    left -= 1
                if left > 0:
                    kept.append((fault, left))
            self._waiting = kept
        return taken

    def clear(self) -> None:
        with self._lock:
            self._waiting = []
