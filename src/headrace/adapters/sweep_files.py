"""Sweep records on disk: one folder a sweep, `<root>/<id>/`, with the config that it began with."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headrace.core.record import UnreadableRecord
from headrace.core.sweep import SweepRecord, parse_sweep
from headrace.errors import HeadraceError

log = logging.getLogger(__name__)

# `is_running` takes the lock for a moment, which must not keep a sweep from going on.
TRIES = 10
TRY_EVERY_SECONDS = 0.05


class SweepRuns(HeadraceError):
    """The sweep is at work already, in another process."""


class SweepFiles:
    """Ids begin with the time of their start, so the order of names is the order of sweeps."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, sweep_id: str) -> Path:
        return self.root / sweep_id

    def file(self, sweep_id: str) -> Path:
        return self.folder(sweep_id) / "sweep.json"

    def conf(self, sweep_id: str) -> Path:
        return self.folder(sweep_id) / "conf"

    def job(self, sweep_id: str, number: int) -> Path:
        """Return the folder of one job, for its log."""
        return self.folder(sweep_id) / "jobs" / str(number)

    def freeze(self, sweep_id: str, folders: Sequence[Path]) -> None:
        """Copy config files into the sweep's folder; a file hides those of the same name in later folders."""
        for folder in reversed(folders):
            shutil.copytree(folder, self.conf(sweep_id), dirs_exist_ok=True)

    def write(self, record: SweepRecord) -> None:
        """Write the record as it is now; a reader sees the old one or the new one."""
        file = self.file(record.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(record.to_json(), default=str), encoding="utf-8")
        os.replace(temporary, file)

    def read(self, sweep_id: str) -> SweepRecord:
        """Read one record. Raises `UnreadableRecord`, also where there is none."""
        try:
            record = parse_sweep(json.loads(self.file(sweep_id).read_bytes()))
        except (OSError, ValueError, RecursionError) as error:  # an UnreadableRecord is a ValueError
            raise UnreadableRecord(f"{self.file(sweep_id)}: {error}") from error
        if record.id != sweep_id:
            found = f"it is the record of sweep {record.id}, in the folder of another"
            raise UnreadableRecord(f"{self.file(sweep_id)}: {found}")
        return record

    def newest_first(self) -> Iterator[SweepRecord]:
        """Yield readable records; a damaged one is reported and passed over."""
        for sweep_id in self.ids():
            try:
                yield self.read(sweep_id)
            except UnreadableRecord as error:
                log.warning("skipped a record: %s", error)

    def ids(self) -> list[str]:
        """Return the ids, the newest first."""
        if not self.root.is_dir():
            return []
        return sorted((p.name for p in self.root.iterdir() if (p / "sweep.json").is_file()), reverse=True)

    def is_running(self, sweep_id: str) -> bool:
        """Tell whether a process is at this sweep; True also where this one may not look."""
        try:
            with self._lock(sweep_id).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except OSError:
            return True

    @contextmanager
    def hold(self, sweep_id: str) -> Iterator[None]:
        """Keep a sweep for this process; the system lets go of it when the process ends, however it does.

        Raises `SweepRuns`.
        """
        with self._lock(sweep_id).open("w") as file:
            for left in reversed(range(TRIES)):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if not left:
                        raise SweepRuns(f"sweep {sweep_id} runs already, in another process") from error
                time.sleep(TRY_EVERY_SECONDS)
            yield

    def _lock(self, sweep_id: str) -> Path:
        return self.folder(sweep_id) / "lock"
