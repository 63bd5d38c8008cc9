"""Which sweep a person means: an id, the beginning of one, or the latest."""

from __future__ import annotations

from pathlib import Path

from headrace.adapters.run_index import Unreadable
from headrace.adapters.sweep_files import SweepFiles
from headrace.commands.run_names import find_id, warn
from headrace.core.record import UnreadableRecord
from headrace.core.sweep import SweepRecord, cut_off
from headrace.errors import SweepNotFound

SWEEP_HELP = "a sweep's id, the beginning of one, latest, or latest:EXPERIMENT"
KILLED = "killed"


def sweep_files(root: Path) -> SweepFiles:
    return SweepFiles(root / "sweeps")


def list_sweeps(root: Path, told: bool = True) -> list[SweepRecord]:
    """Return every sweep, newest first; records that cannot be read are told on stderr."""
    found, unreadable = _read_all(sweep_files(root))
    if told:
        warn(unreadable, "sweep")
    return found


def find_sweep(root: Path, name: str) -> SweepRecord:
    """Return the sweep that a person names. Raises `SweepNotFound`."""
    files = sweep_files(root)
    # A whole id needs no list, and what is wrong with other records is no matter of this sweep.
    is_id = name == Path(name).name and files.file(name).is_file()
    sweep_id = name if is_id else _find(files, name)
    try:
        return files.read(sweep_id)
    except UnreadableRecord as error:
        raise SweepNotFound(f"the record of sweep {sweep_id} cannot be read: {error}") from error


def _find(files: SweepFiles, name: str) -> str:
    found, unreadable = _read_all(files)
    if any(record.experiment == name for record in found):
        hint = f"for those of the experiment, type: headrace sweeps --experiment {name}"
        raise SweepNotFound(f"there is no sweep {name!r} here; {hint}")
    return find_id(found, unreadable, name, "sweep", SweepNotFound)


def _read_all(files: SweepFiles) -> tuple[list[SweepRecord], list[Unreadable]]:
    found: list[SweepRecord] = []
    unreadable: list[Unreadable] = []
    for sweep_id in files.ids():
        try:
            found.append(files.read(sweep_id))
        except UnreadableRecord as error:
            unreadable.append(Unreadable(id=sweep_id, why=str(error)))
    return found, unreadable


def settle(record: SweepRecord, files: SweepFiles) -> tuple[SweepRecord, str]:
    """Return a sweep and its state: `killed` where the record says that it runs, and nobody is at it.

    The jobs that ran in a killed sweep are interrupted.
    """
    if record.state != "running" or files.is_running(record.id):
        return record, record.state
    return cut_off(record), KILLED
