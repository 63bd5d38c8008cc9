"""Sweep records on disk: one folder a sweep, `<root>/<id>/`, with the config that it began with."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headrace.core.record import UnreadableRecord
from headrace.core.sweep import SweepRecord, parse_sweep
from headrace.errors import HeadraceError

log = logging.getLogger(__name__)


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
            return parse_sweep(json.loads(self.file(sweep_id).read_bytes()))
        except UnreadableRecord as error:
            raise UnreadableRecord(f"{self.file(sweep_id)}: {error}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise UnreadableRecord(f"{self.file(sweep_id)}: {error}") from error

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
        """Tell whether a process is at this sweep."""
        try:
            with self.hold(sweep_id):
                return False
        except (SweepRuns, OSError):
            return self.folder(sweep_id).is_dir()

    @contextmanager
    def hold(self, sweep_id: str) -> Iterator[None]:
        """Keep a sweep for this process; the system lets go of it when the process ends, however it does.

        Raises `SweepRuns`.
        """
        with (self.folder(sweep_id) / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SweepRuns(f"sweep {sweep_id} runs already, in another process") from error
            yield
