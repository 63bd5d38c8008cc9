"""The machine, as a run notes it."""

from __future__ import annotations

import os
import platform

import pytest

from headrace.adapters.machine_state import describe_cpu, read_machine_state

INTEL = """
processor : 0
model name : Intel(R) Xeon(R) Processor @ 2.20GHz
flags : fpu sse4_2 avx avx2 avx512f

processor : 1
model name : another
flags : fpu
"""
ARM = "processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\nCPU part : 0xd40\n"


@pytest.mark.parametrize(
    ("cpuinfo", "said"),
    [
        (INTEL, "Intel(R) Xeon(R) Processor @ 2.20GHz, avx512f"),
        (INTEL.replace(" avx512f", ""), "Intel(R) Xeon(R) Processor @ 2.20GHz, avx2"),
        (ARM, "implementer 0x41 part 0xd40, sve"),
        ("", ""),
    ],
)
def test_a_cpu_is_its_name_and_its_instructions(cpuinfo: str, said: str) -> None:
    """Two CPUs of one name with other vector instructions are told apart."""
    assert describe_cpu(cpuinfo) == said


def test_python_and_cores_are_those_of_this_process() -> None:
    """The version is whole, and cores are those that the process may use."""
    found = read_machine_state()
    assert found["python"] == platform.python_version()
    assert found["cores"] == len(os.sched_getaffinity(0))
