"""Timing, and figures that stand beside what they are to be measured against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


@dataclass(slots=True)
class Figures:
    """Prints figures as they come, and remembers which missed their limit."""

    missed: list[str] = field(default_factory=list)
    section: str = ""

    def begin(self, section: str) -> None:
        self.section = section
        print(f"\n{section}", flush=True)

    def tell(self, name: str, value: float, unit: str, limit: float | None = None, note: str = "") -> None:
        verdict = ""
        if limit is not None:
            verdict = f"  limit {limit:g}" + ("" if value <= limit else "  FAIL")
            if value > limit:
                self.missed.append(f"{self.section}: {name.strip()}")
        print(f"{name:<58}{value:>10.2f} {unit}{verdict}{'  ' + note if note else ''}", flush=True)
