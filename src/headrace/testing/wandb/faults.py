"""Faults that a test asks for, and the queue that hands each to the requests it is meant for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal["status", "status_after", "slow", "reset", "reset_after", "lost", "corrupt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with the next `times` requests (None: with all) of one operation (None: of any).

    `operation` is the name of a GraphQL operation (`UpsertBucket`, `CommitArtifact`, ...), or of a route:
    `file_stream`, `upload`, `download`. Kinds: `status` answers `status` instead of doing it, with a
    `Retry-After` of `retry_after` seconds where there is one; `status_after` does it and answers so all
    the same; `slow` waits `seconds` first; `reset` and `reset_after` cut the connection, before or after
    doing it; `lost` answers 200 to an upload and keeps nothing; `corrupt` changes a byte of what was sent.
    A server that is gone altogether is `WandbServer.gone()`.
    """

    kind: FaultKind
    operation: str | None = None
    times: int | None = 1
    status: int = 500
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
        self._waiting: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong from now on."""
        with self._lock:
            self._waiting.append((fault, fault.times))

    def take(self, operation: str) -> Fault | None:
        """Return what befalls this request, and count it."""
        with self._lock:
            for place, (fault, left) in enumerate(self._waiting):
                if fault.operation in (None, operation):
                    if left == 1:
                        del self._waiting[place]
                    elif left is not None:
                        self._waiting[place] = (fault, left - 1)
                    return fault
        return None

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._waiting = []
