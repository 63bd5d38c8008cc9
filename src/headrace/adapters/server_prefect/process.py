"""Processes that outlive the command which started them, and how to know one again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


def process_start(pid: int) -> str | None:
    """Tell when a process started, in words that no other process of that id shares; None: it is gone.

    A zombie, which only waits for its parent to notice, counts as gone.
    """
    with suppress(OSError):
        # After the command's name, which may hold anything: state is the 1st field, start the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    if Path("/proc/self/stat").exists():
        return None
    ps = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = ps.stdout.strip().partition(" ")
    return None if ps.returncode or state.startswith("Z") else started.strip()


def is_running(state: Mapping[str, Any]) -> bool:
    """Tell whether the process that `state` describes by `pid` and `started` is still there."""
    started = process_start(state["pid"])
    return started is not None and started == state["started"]


def end(state: Mapping[str, Any]) -> None:
    """Ask the process to end, then force it; both waits are bounded."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(state["pid"], number)
        deadline = time.monotonic() + seconds
        while is_running(state):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            # Where it was started by this very process, nobody else will collect it.
            with suppress(ChildProcessError):
                os.waitpid(state["pid"], os.WNOHANG)
            return
