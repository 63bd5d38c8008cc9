"""W&B's aliases of a model: they follow the lake's, now or, where there is no W&B, by `headrace sync`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.adapters.record_files import RunRecords
from headrace.adapters.tracker_wandb import choose_mode
from headrace.adapters.tracker_wandb.pending import move_of
from headrace.adapters.tracker_wandb.sync import Syncer, leave_last
from headrace.core.artifact import Artifact
from headrace.core.lineage import refer_to_model
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.registry import find_numbered, history, holder


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbMirror:
    """Lets W&B's alias name what the lake's names. Trouble is told and left for later, never raised.

    `root` is the project's folder of state, `identity` the lake's, and `seconds` how long the log of a
    run may take that W&B does not have yet.
    """

    root: Path
    identity: str
    seconds: float
    environ: Mapping[str, str]

    def follow(self, registry: Mapping[str, Any], alias: str, before: int | None) -> str:
        """Do for one alias what the registry says by now, and say what became of it; '' for nothing.

        `before` is the version that the alias named last, which it is taken from where it names none.
        """
        now = holder(registry, alias)
        version = before if now is None else now
        if version is None:
            return ""
        entry = find_numbered(registry, version)
        record = self._read(str(entry["run"]))
        if record is None:
            return f"not told: the record of run {entry['run']} is on another machine"
        if not (record.wandb.get("project") and record.wandb.get("id")):
            return ""  # tracker=none
        tracker = record.config.get("tracker") or {}
        mode = choose_mode(str(tracker.get("mode", "auto")), self.environ)
        if mode == "disabled":
            return ""
        self._leave(record, registry, entry, alias, gone=now is None)
        return self._send(record, mode)

    def _read(self, run_id: str) -> RunRecord | None:
        try:
            return self._records.read(run_id)
        except UnreadableRecord:
            return None

    def _leave(
        self, record: RunRecord, registry: Mapping[str, Any], entry: Mapping[str, Any], alias: str, gone: bool
    ) -> None:
        package = Artifact.from_json(dict(entry))
        todo = move_of(
            refer_to_model(str(registry["model"]), package, self.identity, {}),
            int(entry["version"]),
            alias,
            (record.config.get("tracker") or {}).get("registry"),
            order=len(history(registry)),
            newest=max(int(one["version"]) for one in registry["versions"]),
            gone=gone,
        )
        records = self._records
        leave_last(record.id, records.folder(record.id), todo, records.read, records.write)

    def _send(self, record: RunRecord, mode: str) -> str:
        waits = any(one.get("kind") == "run" for one in record.wandb.get("pending") or ())
        later = f"later, type: headrace sync {record.id}"
        if waits or not record.wandb.get("url"):
            return f"waits, for run {record.id} was logged offline; {later}"
        if mode == "offline":
            return f"waits, for there is no key for W&B here, or it is told to be offline; {later}"
        with Syncer(self._records.read, self._records.write, self.seconds) as syncer:
            outcome = syncer.sync(record.id, self._records.folder(record.id))
        if outcome.error:
            return f"waits: {outcome.error}; {later}"
        return outcome.did[-1] if outcome.did else "was done already"

    @property
    def _records(self) -> RunRecords:
        return RunRecords(self.root / "runs")


def mirror_of(root: Path, identity: str, seconds: float) -> WandbMirror:
    return WandbMirror(root=root, identity=identity, seconds=seconds, environ=os.environ)
