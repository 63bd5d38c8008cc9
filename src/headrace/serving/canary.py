"""Who gets the canary, and when it has shown that it is worse."""

from __future__ import annotations

import hashlib
from collections import deque
from statistics import median
from typing import Any

from headrace.serving.roles import Role
from headrace.serving.settings import CanarySettings

NEWEST = 1000  # latencies of each role that count
EVERY = 20  # requests of the canary between two looks at latencies: a median costs as much as an answer
_SPACE = float(1 << 64)


def is_in_share(model: str, key: str, share: float) -> bool:
    """Tell whether a key belongs to the share of a canary, from 0 to 1: the same key always the same.

    A greater share takes more keys and loses none.
    """
    drawn = int.from_bytes(hashlib.blake2b(f"{model}\0{key}".encode(), digest_size=8).digest(), "big")
    return drawn / _SPACE < share


class Comparison:
    """Compares the canary with the stable version by what their requests came to. Not safe from threads."""

    def __init__(self, settings: CanarySettings) -> None:
        self._settings = settings
        self._next_look = settings.min_requests
        self._requests: dict[Role, int] = {"stable": 0, "canary": 0}
        self._errors: dict[Role, int] = {"stable": 0, "canary": 0}
        self._seconds: dict[Role, deque[float]] = {
            role: deque(maxlen=NEWEST) for role in ("stable", "canary")
        }

    def observe(self, role: Role, seconds: float, failed: bool) -> None:
        """Count a request of one of them."""
        if role not in self._requests:
            return
        self._requests[role] += 1
        if failed:
            self._errors[role] += 1
        else:
            self._seconds[role].append(seconds)

    def why_return(self) -> str | None:
        """Say why the canary is to go, or None.

        Errors count from the first that breaks the bound of `min_requests` requests, latency once the
        canary has answered these, and from then on every `EVERY` requests.
        """
        bounds, asked, errors = self._settings, self._requests["canary"], self._errors["canary"]
        if errors > bounds.max_error_rate * max(asked, bounds.min_requests):
            return f"{errors} of {asked} requests failed, and {bounds.max_error_rate:.2%} may"
        if asked < self._next_look or not self._seconds["stable"] or not self._seconds["canary"]:
            return None
        self._next_look = asked + EVERY
        ours, theirs = (median(self._seconds[role]) for role in ("canary", "stable"))
        if ours > bounds.max_latency_ratio * theirs:
            told = f"{1000 * ours:.1f} ms at the median against {1000 * theirs:.1f} ms"
            return f"{told}, and {bounds.max_latency_ratio:g} times as much is allowed"
        return None

    def figures(self) -> dict[str, Any]:
        """Return requests, errors and the median latency in milliseconds of each role."""
        return {
            role: {
                "requests": self._requests[role],
                "errors": self._errors[role],
                "p50_ms": round(1000 * median(self._seconds[role]), 3) if self._seconds[role] else None,
            }
            for role in self._requests
        }
