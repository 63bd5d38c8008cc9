"""The runtime without Prefect."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.adapters.cache_files import FileStageCache
from headrace.adapters.runtime_inline import InlineRuntime
from headrace.testing.runtime import Flaky, RuntimeContract, make_task


class TestInlineRuntime(RuntimeContract):
    """The contract, inline."""

    @pytest.fixture
    def runtime(self, tmp_path: Path) -> InlineRuntime:
        return InlineRuntime(FileStageCache(tmp_path))


def test_it_remembers_in_the_cache_it_was_given(tmp_path: Path) -> None:
    """The record lies in the stage cache, where a plan finds it."""
    cache = FileStageCache(tmp_path)
    task = make_task(Flaky(0))
    record = InlineRuntime(cache).submit(task).result()
    assert cache.get(task.key) == record


def test_the_alarm_of_others_survives_a_timeout(tmp_path: Path) -> None:
    """A timer and a handler that were set before a stage with a timeout are there afterwards."""
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        InlineRuntime(FileStageCache(tmp_path)).submit(make_task(Flaky(0), timeout_seconds=5)).result()
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_thread_runs_without_its_timeout_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside the main thread a timeout cannot work: the stage runs and a warning names it."""
    runtime = InlineRuntime(FileStageCache(tmp_path))
    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.append(runtime.submit(make_task(Flaky(0), timeout_seconds=5)).result())
    )
    thread.start()
    thread.join()
    assert len(results) == 1
    assert "fit runs without its timeout" in caplog.text


def test_it_never_imports_prefect() -> None:
    """Neither the inline runtime nor the cache nor the server module loads Prefect."""
    code = (
        "import sys, headrace.adapters.runtime_inline, headrace.adapters.cache_files;"
        "import headrace.adapters.server_prefect, headrace.adapters.runtime_prefect;"
        "sys.exit('prefect' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
