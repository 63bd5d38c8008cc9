"""Run records on disk: one folder a run, `<root>/<id>/run.json`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from headrace.core.record import RunRecord, StageRecord, UnreadableRecord, parse_record

log = logging.getLogger(__name__)


class RunRecords:
    """Ids begin with the time of their start, so the order of names is the order of runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._finished: dict[tuple[str, str], str] = {}  # text of finished stages by run and stage

    def folder(self, run_id: str) -> Path:
        return self.root / run_id

    def file(self, run_id: str) -> Path:
        return self.folder(run_id) / "run.json"

    def write(self, record: RunRecord) -> None:
        """Write the record as it is now; a reader sees the old one or the new one."""
        file = self.file(record.id)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(self.to_text(record), encoding="utf-8")
        os.replace(temporary, file)

    def to_text(self, record: RunRecord) -> str:
        """Return the record as JSON. What is said of a finished stage is encoded once, not at each write."""
        # One line a field: with `indent`, json takes its slow encoder, ten times as long.
        fields = record.head_json().items()
        head = ",\n".join(f" {json.dumps(name)}: {json.dumps(value, default=str)}" for name, value in fields)
        stages = ",\n  ".join(self._stage_text(record.id, stage) for stage in record.stages)
        return f'{{\n{head},\n "stages": [\n  {stages}\n ]\n}}\n'

    def _stage_text(self, run_id: str, stage: StageRecord) -> str:
        known = self._finished.get((run_id, stage.name))
        if known is not None:
            return known
        text = json.dumps(stage.to_json(), default=str)
        if stage.state in ("ran", "cached"):
            self._finished[run_id, stage.name] = text
        return text

    def read(self, run_id: str) -> RunRecord:
        """Read one record. Raises `UnreadableRecord`, also where there is none."""
        try:
            return parse_record(json.loads(self.file(run_id).read_bytes()))
        except UnreadableRecord:
            raise
        except (OSError, ValueError, RecursionError) as error:
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
