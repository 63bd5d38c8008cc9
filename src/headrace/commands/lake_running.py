"""Which runs of this project still go on, and which branches they need."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from headrace.adapters.record_files import RunRecords
from headrace.core.record import RunRecord, UnreadableRecord, branch_of


class RunningRuns:
    """Runs of this machine, as they are now. `root` is the project's `.headrace`."""

    def __init__(self, root: Path) -> None:
        self._locks = root / "scratch"
        self._records = RunRecords(root / "runs")
        self._held = {lock.stem for lock in self._locks.glob("*.lock") if _is_held(lock)}
        self._used = {branch for run_id in self._held for branch in self._branches_used(run_id)}

    def need(self, branch: str) -> bool:
        """Tell whether a run works on a branch, or reads what an earlier run left there.

        A run holds its lock until its stages are done; after that, until its record says how it ended,
        only the record shows that it is not over.
        """
        run_id = branch.removeprefix(branch_of(""))
        if run_id in self._held or branch in self._used:
            return True
        if (self._locks / f"{run_id}.lock").exists():  # and nobody holds it: the run was killed
            return False
        record = self._read(run_id)
        return record is not None and record.state == "running"

    def _branches_used(self, run_id: str) -> Iterator[str]:
        """Yield the branches that hold a run's artifacts: cached ones lie where they were made."""
        record = self._read(run_id)
        for stage in record.stages if record else ():
            for artifact in stage.outputs.values():
                parts = artifact.path.split("/")
                if parts[0] == "runs" and len(parts) > 1:
                    yield branch_of(parts[1])

    def _read(self, run_id: str) -> RunRecord | None:
        try:
            return self._records.read(run_id)
        except UnreadableRecord:
            return None


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
