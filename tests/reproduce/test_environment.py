"""What of the world differs from what a run recorded of it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.reproduce.environment import code_differences, environment_differences, threads_of
from tests.toy import Toy, toy

__all__ = ["toy"]

MACHINE: dict[str, Any] = {
    "cpu": "One, avx2", "cores": 4, "threads": {}, "system": "Linux x86_64", "libc": "glibc 2.36",
    "python": "3.11.9",
}  # fmt: skip


@pytest.mark.parametrize(
    ("threads", "library", "said"),
    [
        ({}, "OpenMP", 4),
        ({"OMP_NUM_THREADS": "2"}, "OpenMP", 2),
        ({"OMP_NUM_THREADS": "2,1"}, "MKL", 2),
        ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}, "OpenBLAS", 1),
        ({"OMP_NUM_THREADS": "none"}, "OpenMP", 4),
    ],
)
def test_threads_are_what_a_library_would_start(threads: dict[str, str], library: str, said: int) -> None:
    """Its own variable first, then OpenMP's, else one for each core."""
    assert threads_of({**MACHINE, "threads": threads}, library) == said


def test_each_difference_is_told(toy: Toy) -> None:
    """Package, CPU and threads, each with both sides; what the record does not know is no difference."""
    record, _ = toy.run()
    record.packages = {"python": "3.11", "numpy": "2.0.0", "gone": "1"}
    record.machine = MACHINE
    now = {**MACHINE, "cpu": "Two", "threads": {"OPENBLAS_NUM_THREADS": "1"}, "python": "3.11.10"}
    versions = {"python": "3.11", "numpy": "2.1.0"}
    assert environment_differences(record, now, versions.get) == [
        "package numpy 2.0.0 → 2.1.0",
        "package gone 1 → not installed",
        "cpu One, avx2 → Two",
        "python 3.11.9 → 3.11.10",
        "threads of OpenBLAS 4 → 1",
    ]
    record.machine = {}
    assert environment_differences(record, now, record.packages.get) == []


def test_the_same_world_is_told_in_silence(toy: Toy) -> None:
    """A record against the machine that it describes differs in nothing."""
    record, _ = toy.run()
    record.packages, record.machine = {"numpy": "2.0.0"}, MACHINE
    assert environment_differences(record, dict(MACHINE), record.packages.get) == []


def test_code_is_told_by_module(toy: Toy) -> None:
    """A changed helper and one that is gone, by name; a comment is no change, nor is what git holds."""
    record, _ = toy.run()
    Path("toy_helper.py").write_text("# says more\n" + toy.helper)
    assert code_differences(record) == []
    Path("toy_helper.py").write_text("def scale(x, factor):\n    return x\n")
    Path("toy_stages.py").unlink()
    for name in ("toy_helper", "toy_stages"):
        del sys.modules[name]  # or importlib believes them
    importlib.invalidate_caches()
    assert code_differences(record) == ["code of toy_helper changed", "code of toy_stages is gone"]
    assert code_differences(record, leave_out=toy.folder.resolve()) == []
