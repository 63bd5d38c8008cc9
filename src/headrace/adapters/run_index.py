"""The few fields of every run record that a list needs, read from an index that the files outvote."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from headrace.core.record import RunRecord, UnreadableRecord, parse_record

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """One run in a list. `started` is ISO 8601 in UTC; `model` and `version` are what it published.

    `sweep` is the sweep's id and `trial` the number of its job, where it was one.
    """

    id: str
    experiment: str
    pipeline: str
    state: str
    started: str
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    model: str | None = None
    version: int | None = None
    git_commit: str | None = None
    error: str | None = None
    sweep: str | None = None
    trial: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record that is passed over, and why."""

    id: str
    why: str


class RunIndex:
    """Reads what changed since the index was written, and the rest from it.

    An entry counts for as long as its file keeps size and modification time. Losing the index costs
    time; two processes that write it at once leave either one's.
    """

    def __init__(self, runs: Path, file: Path) -> None:
        self._runs = runs
        self._file = file

    def heads(self) -> tuple[list[RunHead], list[Unreadable]]:
        """Return every run, newest first, and the records that cannot be read."""
        known = self._load()
        entries: dict[str, list[Any]] = {}
        unreadable: list[Unreadable] = []
        for run_id, path in self._files():
            try:
                found = os.stat(path)
            except FileNotFoundError:
                continue  # a run that has just begun
            except OSError as error:
                unreadable.append(Unreadable(id=run_id, why=str(error)))
                continue
            stamp = [found.st_mtime_ns, found.st_size]
            entry = known.get(run_id)
            if entry is None or entry[:2] != stamp:
                try:
                    entry = [*stamp, _read(run_id, path)]
                except (OSError, ValueError, RecursionError) as error:
                    unreadable.append(Unreadable(id=run_id, why=str(error)))
                    continue
            entries[run_id] = entry
        if entries != known:
            self._save(entries)
        return [RunHead(**entry[2]) for _, entry in sorted(entries.items(), reverse=True)], unreadable

    def _files(self) -> Sequence[tuple[str, str]]:
        try:
            with os.scandir(self._runs) as runs:
                return [(run.name, f"{run.path}{os.sep}run.json") for run in runs if run.is_dir()]
        except FileNotFoundError:
            return []

    def _load(self) -> dict[str, list[Any]]:
        try:
            loaded = json.loads(self._file.read_bytes())
            entries = dict(loaded["runs"]) if loaded["format"] == FORMAT else {}
            return entries if all(map(_is_entry, entries.values())) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _save(self, entries: Mapping[str, list[Any]]) -> None:
        """Write the index; a folder that cannot be written to only costs time later."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".runs-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"format": FORMAT, "runs": entries}, file, separators=(",", ":"))
            os.replace(temporary, self._file)
        except OSError:
            return


_NAMES = {f.name for f in fields(RunHead)}


def _is_entry(entry: Any) -> bool:
    is_one = isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], dict)
    return is_one and entry[2].keys() == _NAMES


def _read(run_id: str, path: str) -> dict[str, Any]:
    """Return what a list needs of a record. Raises `UnreadableRecord`."""
    record = parse_record(json.loads(Path(path).read_bytes()))
    if record.id != run_id:
        raise UnreadableRecord(f"it is the record of run {record.id}, in the folder of another")
    return _head(record).to_json()


def _head(record: RunRecord) -> RunHead:
    published = record.published or {}
    sweep, trial = of_sweep(record)
    return RunHead(
        id=record.id,
        experiment=record.experiment,
        pipeline=record.pipeline,
        state=record.state,
        started=record.started,
        seconds=record.seconds,
        metrics=record.metrics,
        model=published.get("model"),
        version=published.get("version"),
        git_commit=record.git.get("commit"),
        error=(record.error or "").partition("\n")[0] or None,
        sweep=sweep,
        trial=trial,
    )


def of_sweep(record: RunRecord) -> tuple[str | None, int | None]:
    """Return the sweep that a run is of and the number of its job; None for what no record says."""
    found = record.sweep or {}
    sweep, trial = found.get("id"), found.get("trial")
    return (sweep if isinstance(sweep, str) else None), (trial if isinstance(trial, int) else None)
