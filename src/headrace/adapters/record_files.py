"""Run records on disk: one folder a run, `<root>/<id>/run.json`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from headrace.core.record import RunRecord, UnreadableRecord, parse_record

log = logging.getLogger(__name__)


class RunRecords:
    """Ids begin with the time of their start, so the order of names is the order of runs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, run_id: str) -> Path:
        return self.root / run_id

    def file(self, run_id: str) -> Path:
        return self.folder(run_id) / "run.json"

    def write(self, record: RunRecord) -> None:
        """Write the record as it is now; a reader sees the old one or the new one."""
        file = self.file(record.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(record.to_json(), indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(temporary, file)

    def read(self, run_id: str) -> RunRecord:
        """Read one record. Raises `UnreadableRecord`, also where there is none."""
        try:
            return parse_record(json.loads(self.file(run_id).read_bytes()))
        except (OSError, json.JSONDecodeError) as error:
            raise UnreadableRecord(f"{self.file(run_id)}: {error}") from error

    def newest_first(self) -> Iterator[RunRecord]:
        """Yield readable records; a damaged one is reported and passed over."""
        ids = sorted((p.name for p in self.root.iterdir()), reverse=True) if self.root.is_dir() else []
        for run_id in ids:
            try:
                yield self.read(run_id)
            except UnreadableRecord as error:
                log.warning("skipped a record: %s", error)

    def latest(self, experiment: str, pipeline: str) -> RunRecord | None:
        """Return the newest run of the same experiment and pipeline that got past a stage."""
        for record in self.newest_first():
            if (record.experiment, record.pipeline) == (experiment, pipeline) and record.stages:
                return record
        return None
