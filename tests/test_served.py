"""The parts of a service of several processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from headrace import served


def test_a_worker_stops_once_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that was killed leaves nobody behind who holds its address."""
    parents, sent = iter([7, 7, 1]), []
    monkeypatch.setattr(served, "PARENT_SECONDS", 0.0)
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "kill", lambda *told: sent.append(told))
    asyncio.run(served._end_with(7))
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_figures_of_dead_workers_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Gauges of a worker that was killed are left out by the one that replaces it; others stay."""
    gone = next(pid for pid in range(4_000_000, 4_194_304) if not served.is_alive(pid))
    names = [f"gauge_livesum_{pid}.db" for pid in (gone, os.getpid())]
    for name in (*names, f"counter_{gone}.db"):
        (tmp_path / name).touch()
    monkeypatch.setenv(served.MULTIPROCESS_DIR, str(tmp_path))
    served._forget_dead_workers()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"counter_{gone}.db", names[1]]
