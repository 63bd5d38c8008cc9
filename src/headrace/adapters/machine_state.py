"""What may change a result beside code and data: the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

VECTORS = ("avx512f", "avx2", "avx", "sse4_2", "sve2", "sve", "asimd")  # widest first


def read_machine_state() -> dict[str, Any]:
    """Return `cpu`, `cores`, `threads`, `system`, `libc` and `python`.

    `cores` are those that this process may use, `threads` the variables that tell numeric libraries how
    many threads to start; where none does, they start one for each core.
    """
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": platform.python_version(),
    }


def _cpu() -> str:
    """Return the CPU's name and its widest vector instructions, by which numeric libraries choose code.

    Machines in a cloud often share a name and not the instructions.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    return describe_cpu(text) or platform.processor()


def describe_cpu(cpuinfo: str) -> str:
    """Say what `/proc/cpuinfo` tells of its first CPU; '' where it tells nothing."""
    told: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    name = told.get("model name") or told.get("Model") or ""
    if not name and "CPU part" in told:  # ARM gives numbers
        name = f"implementer {told.get('CPU implementer', '?')} part {told['CPU part']}"
    flags = set((told.get("flags") or told.get("Features") or "").split())
    widest = next((word for word in VECTORS if word in flags), None)
    return ", ".join(word for word in (name, widest) if word)
