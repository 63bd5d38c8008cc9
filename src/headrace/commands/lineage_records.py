"""Models and runs that `headrace lineage` walks between: those of this project, and those in its lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.adapters.record_files import RunRecords
from headrace.core.ports import MAIN, CommonPrefix, LakeReader
from headrace.core.record import RunRecord, UnreadableRecord, branch_of, parse_record
from headrace.errors import LakeError, ObjectDamaged, ObjectNotFound, RefNotFound


def find_models(lake: LakeReader) -> dict[str, dict[str, Any]]:
    """Return the registry of every model on `main`, by name. Raises `ObjectDamaged`."""
    found: dict[str, dict[str, Any]] = {}
    for folder in lake.list(MAIN, prefix="models/", delimiter="/"):
        path = f"{folder.path}registry.json"
        try:
            with lake.open(MAIN, path) as file:
                registry = json.load(file)
        except ObjectNotFound:
            continue
        except ValueError as error:
            raise ObjectDamaged(f"{path} on {MAIN} is no registry: {error}") from error
        found[folder.path.removeprefix("models/").rstrip("/")] = registry
    return found


class Records:
    """Records of runs: of this project's folder first, which know what became of a run after its end.

    Others ran elsewhere; a run puts its record into the lake, on its branch and with what it publishes.
    """

    def __init__(self, lake: LakeReader, root: Path) -> None:
        self.lake = lake
        self._local = RunRecords(root / "runs")

    def find(self, run_id: str) -> RunRecord | None:
        """Return a run's record, or None where neither place has one that can be read."""
        try:
            return self._local.read(run_id)
        except UnreadableRecord:
            return self._in_lake(MAIN, run_id) or self._in_lake(branch_of(run_id), run_id)

    def all(self) -> Iterator[RunRecord]:
        """Yield every run, newest first: those of this project, then those that others published."""
        seen = set()
        for record in self._local.newest_first():
            seen.add(record.id)
            yield record
        folders = list(self.lake.list(MAIN, prefix="runs/", delimiter="/"))
        for folder in reversed(folders):
            run_id = folder.path.removeprefix("runs/").rstrip("/")
            if not isinstance(folder, CommonPrefix) or run_id in seen:
                continue
            published = self._in_lake(MAIN, run_id)
            if published is not None:
                yield published

    def _in_lake(self, ref: str, run_id: str) -> RunRecord | None:
        try:
            with self.lake.open(ref, f"runs/{run_id}/run.json") as file:
                return parse_record(json.load(file))
        except (ObjectNotFound, RefNotFound, ValueError):
            return None


def resolve(lake: LakeReader, ref: str) -> str | None:
    """Return the commit that a ref names, or None where it names none."""
    try:
        return lake.resolve(ref)
    except LakeError:
        return None
