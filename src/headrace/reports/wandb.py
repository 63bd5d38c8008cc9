"""Reports in W&B: saved where their runs are, or left for `headrace sync` where these are not yet."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headrace.adapters.record_files import RunRecords
from headrace.adapters.report_wandb import (
    INSTALL,
    Document,
    Place,
    Saved,
    WandbReports,
    has_extra,
    read_kept,
    write_kept,
)
from headrace.adapters.tracker_wandb import choose_mode
from headrace.adapters.tracker_wandb.sync import leave_last
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.errors import SharedReportError, SyncError

Wanted = Literal["auto", "true", "false"]
Reach = Literal["online", "later", "never"]
WAITING = "wandb-report.json"  # the document, until it is sent
KIND = "report"


@dataclass(slots=True, kw_only=True)
class Told:
    """What became of a report in W&B. `share` is a link to show once, and to keep nowhere."""

    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failed: bool = False
    share: str | None = field(default=None, repr=False)


class ReportsInWandb:
    """Saves and shares the reports of a project.

    Args:
        root: the project's folder of state.
        environ: of this process; it says whether W&B can be reached, as for a run.
        seconds: how long W&B may take.
    """

    def __init__(self, root: Path, environ: Mapping[str, str], seconds: float) -> None:
        self._root = root
        self._records = RunRecords(root / "runs")
        self._environ = environ
        self._seconds = seconds

    def save(
        self, document: Document, records: Sequence[RunRecord], wanted: Wanted, share: bool = False
    ) -> Told:
        """Save a report, or leave it for later; with `auto` nothing that goes wrong is a failure.

        Raises `SharedReportError` for what cannot be had here, where more than `auto` was asked for.
        """
        asked = wanted == "true" or share
        reach, why = self._reach(records)
        if reach == "later" and share:
            latest = _home(records)
            raise SharedReportError(f"no link can be made: {why}; first, type: headrace sync {latest.id}")
        if reach != "never" and not has_extra():
            reach, why = "never", f"that takes a library; type: {INSTALL}"
            if not asked:
                return Told(warnings=[f"no report in W&B: {why}"])
        if reach == "never":
            if asked:
                raise SharedReportError(f"no report in W&B: {why}")
            return Told()
        if reach == "later":
            return self._leave(document, _home(records), why)
        return self._save_now(document, records, asked, share)

    def revoke(self, name: str, records: Sequence[RunRecord]) -> Told:
        """Revoke the links of a report. Raises `SharedReportError`."""
        reach, why = self._reach(records)
        if reach != "online":
            raise SharedReportError(f"no link can be revoked: {why}")
        folder = self._folder(name)
        with WandbReports(self._seconds) as reports:
            revoked = reports.revoke(name, place_of(_home(records)), read_kept(folder))
        if revoked is None:
            return Told(lines=["W&B has no such report, so none is shared"])
        return Told(lines=["link revoked" if revoked else "no link was there to revoke"])

    # --- how it is done -------------------------------------------------------------------------

    def _reach(self, records: Sequence[RunRecord]) -> tuple[Reach, str]:
        """Say whether W&B can be asked now, and why not."""
        if not any(_is_logged(record) for record in records):
            return "never", "none of these runs is logged to W&B"
        home = _home(records)
        mode = choose_mode(str((home.config.get("tracker") or {}).get("mode", "auto")), self._environ)
        if mode == "disabled":
            return "never", "W&B is switched off"
        waits = any(entry.get("kind") == "run" for entry in home.wandb.get("pending") or ())
        if waits or not home.wandb.get("url"):
            return "later", f"run {home.id} was logged offline"
        if mode == "offline":
            return "later", "there is no key for W&B here, or it is told to be offline"
        return "online", ""

    def _save_now(self, document: Document, records: Sequence[RunRecord], asked: bool, share: bool) -> Told:
        home, folder = _home(records), self._folder(document.name)
        places = {record.id: place_of(record) for record in records if _is_logged(record)}
        try:
            with _one_at_a_time(folder), WandbReports(self._seconds) as reports:
                saved = reports.save(document, place_of(home), places, read_kept(folder), share)
                write_kept(folder, saved)
        except SharedReportError as error:
            told = self._leave(document, home, str(error))
            return Told(warnings=[f"no report in W&B: {error}", *told.lines], failed=asked)
        self._take_back(document.name, home)
        return Told(lines=[_said(saved)], share=saved.share)

    def _leave(self, document: Document, home: RunRecord, why: str) -> Told:
        """Keep a report for `headrace sync`, which does what a run left last of all."""
        if home.state == "running":
            return Told(warnings=[f"no report in W&B: run {home.id} has not ended"])
        folder = self._folder(document.name)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{WAITING}.part"
        part.write_text(json.dumps(document.to_json(), ensure_ascii=False), encoding="utf-8")
        os.replace(part, folder / WAITING)
        self._change(home, _entry(document.name))
        return Told(lines=[f"W&B     waits, for {why}; later, type: headrace sync {home.id}"])

    def _take_back(self, name: str, home: RunRecord) -> None:
        """Forget what an earlier report left: this one says more."""
        self._change(home, _entry(name), remove=True)
        (self._folder(name) / WAITING).unlink(missing_ok=True)

    def _change(self, home: RunRecord, entry: dict[str, Any], remove: bool = False) -> None:
        read, write = self._records.read, self._records.write
        leave_last(home.id, self._records.folder(home.id), entry, read, write, remove)

    def _folder(self, name: str) -> Path:
        return report_folder(self._root, name)


def report_folder(root: Path, name: str) -> Path:
    """Return where the report of this name lies, and which one of W&B's it is."""
    return root / "reports" / name


def send_kept(records: RunRecords) -> Callable[[RunRecord, dict[str, Any]], str]:
    """Return what saves a report that was left, for `headrace sync`. It raises `SyncError`."""

    def send(record: RunRecord, entry: dict[str, Any]) -> str:
        folder = report_folder(records.root.parent, entry["name"])
        try:
            document = Document.from_json(json.loads((folder / WAITING).read_bytes()))
        except (OSError, ValueError, KeyError) as error:
            raise SyncError(f"{folder / WAITING} cannot be read: make the report again") from error
        places = {record.id: place_of(record)}
        for run_id in document.runs:
            if run_id not in places and (found := _try_read(records, run_id)) is not None:
                places[run_id] = place_of(found)
        try:
            with _one_at_a_time(folder), WandbReports() as reports:
                saved = reports.save(document, place_of(record), places, read_kept(folder))
                write_kept(folder, saved)
        except SharedReportError as error:
            raise SyncError(str(error)) from error
        return _said(saved)

    return send


def place_of(record: RunRecord) -> Place:
    """Return where W&B has a run that is logged."""
    return Place(record.wandb.get("entity"), record.wandb["project"], record.wandb["id"])


def _is_logged(record: RunRecord) -> bool:
    return bool(record.wandb.get("project") and record.wandb.get("id"))


def _home(records: Sequence[RunRecord]) -> RunRecord:
    """Return the run whose project the report lies in: the last, which is synced after the others."""
    return max((record for record in records if _is_logged(record)), key=lambda record: record.id)


def _try_read(records: RunRecords, run_id: str) -> RunRecord | None:
    try:
        found = records.read(run_id)
    except UnreadableRecord:
        return None  # deleted meanwhile: the report is of those that are left
    return found if _is_logged(found) else None


def _entry(name: str) -> dict[str, Any]:
    return {"kind": KIND, "name": name}


def _said(saved: Saved) -> str:
    return f"W&B     {saved.url}  ({'new' if saved.created else 'updated'})"


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a report for this process, so that two make no two of it; freed when it dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "wandb.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
