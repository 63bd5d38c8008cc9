"""What of the world differs from what a run recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from headrace.core.code import CodeIndex
from headrace.core.reason import explain_difference
from headrace.core.record import RunRecord

OMP = "OMP_NUM_THREADS"
LIBRARIES = {"OpenMP": (OMP,), "OpenBLAS": ("OPENBLAS_NUM_THREADS", OMP), "MKL": ("MKL_NUM_THREADS", OMP)}


def environment_differences(
    record: RunRecord, machine: Mapping[str, Any], version_of: Callable[[str], str | None]
) -> list[str]:
    """Return what differs in packages and machine, in words; what the record does not tell does not."""
    found = []
    for name, version in record.packages.items():
        now = version_of(name)
        if now != version and not (name == "python" and record.machine.get("python")):
            found.append(f"package {name} {version} → {now or 'not installed'}")
    return [*found, *machine_differences(record.machine, machine)]


def machine_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Compare two machines, and how many threads numeric libraries start on them."""
    found = [
        f"{name} {before[name] or 'unknown'} → {now.get(name) or 'unknown'}"
        for name in before
        if name != "threads" and before[name] != now.get(name)
    ]
    return [*found, *_threads(before, now)]


def _threads(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if "threads" not in before:
        return
    for library in LIBRARIES:
        old, new = (threads_of(machine, library) for machine in (before, now))
        if old != new:
            yield f"threads of {library} {old} → {new}"


def threads_of(machine: Mapping[str, Any], library: str) -> Any:
    """Return how many threads a library starts: the first variable that says a number, else one a core."""
    said = machine.get("threads") or {}
    for name in LIBRARIES[library]:
        first = str(said.get(name, "")).partition(",")[0].strip()  # OMP_NUM_THREADS=4,2: nested levels
        if first.isdigit() and int(first) > 0:
            return int(first)
    return machine.get("cores")


def code_differences(record: RunRecord, leave_out: Path | None = None) -> list[str]:
    """Return the modules that the run reached and whose code is another one where this process finds it.

    With the top folder of a checkout as `leave_out`, what comes from git is not looked at: modules inside
    of it that are not installed there, and modules that are no longer found.
    """
    index = CodeIndex(lambda kind, file, compute: compute())
    found = []
    for name, digest in sorted(_modules(record).items()):
        located = index.locate(name)
        file = None if located is None else located.file
        if leave_out is not None and _is_inside(file, leave_out):
            continue
        if located is None:
            found.append(f"code of {name} is gone")
        elif index.code(located)["digest"] != digest:
            found.append(f"code of {name} changed")
    return found


def _is_inside(file: Path | None, folder: Path) -> bool:
    if file is None:
        return True  # gone by now, or a folder without code of its own
    file = file.resolve()
    return file.is_relative_to(folder) and not is_installed(file)


def is_installed(place: Path) -> bool:
    """Tell whether a file or folder is one of an environment's, which may lie inside a checkout."""
    return bool({"site-packages", "dist-packages"} & set(place.parts))


def stage_differences(before: RunRecord, now: RunRecord, stage: str) -> list[str]:
    """Return what differs in what a stage of two runs was made from: params, inputs, code, packages, seed."""
    old, new = ({s.name: s.key_parts for s in record.stages}.get(stage) for record in (before, now))
    return explain_difference(new, old) if old and new else []


def _modules(record: RunRecord) -> dict[str, str]:
    found: dict[str, str] = {}
    for stage in record.stages:
        found.update((stage.key_parts or {}).get("code", {}))
    return found
