"""Write, audit, publish: one branch for one import, and one merge into `main`.

What `main` has already, byte for byte, is not written again, so importing twice changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from headrace.core.digest import digest_file
from headrace.core.ports import MAIN, LakeStore, ObjectInfo, SchemaChecker
from headrace.data_import.audit import Audit, is_table
from headrace.data_import.find import Found, ImportFailed, find_files
from headrace.errors import InvalidName, LakeBusy, LakeError, MergeConflict, NoChanges, PreconditionFailed

BRANCH_PREFIX = "import-"
OWN_FOLDERS = ("models", "runs")  # what headrace itself keeps on `main`
_TRIES = 6


class ImportConflict(MergeConflict):
    """`main` changed the same objects meanwhile; the import's branch stays for a look."""

    def __init__(self, branch: str, paths: Sequence[str]) -> None:
        super().__init__(branch, MAIN, paths)
        self.branch = branch
        self.args = (
            f"{self}; {MAIN} is as it was.\n      Import again to put your files over these; "
            f"branch {branch} holds what was not published.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did. Paths are those of objects in the lake.

    `commit` is the commit of `main` that holds the files, a new one only where something changed.
    `branch` was merged and is deleted since; '' where nothing changed. `unchanged` counts the files
    that `main` had, `bytes` is the size of what was added or changed, `skipped` names what of the
    source was left out and why, `checked` counts the tables that the schema approved.
    """

    commit: str
    branch: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    bytes: int
    skipped: tuple[str, ...] = ()
    checked: int = 0

    @property
    def has_changes(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What to write, by object path. `names` are those that the user knows the files by."""

    head: str
    files: Mapping[str, Path]
    names: Mapping[str, str]
    skipped: Sequence[str]
    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]

    @property
    def has_changes(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def tables(self) -> dict[str, Path]:
        return {self.names[path]: file for path, file in self.files.items() if is_table(file)}

    @property
    def written(self) -> dict[str, Path]:
        return {path: self.files[path] for path in (*self.added, *self.changed)}


def import_data(
    lake: LakeStore,
    source: Path,
    dest: str,
    *,
    checker: SchemaChecker | None = None,
    read_table: Callable[[Path], Any] | None = None,
    message: str = "",
    delete: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> ImportReport:
    """Import a folder to `dest/`, or a file to `dest`, on `main`.

    A file goes into the folder `dest/` under its own name where `dest` ends in a slash, or has no suffix
    and the file has one.

    Hidden files, links that lead out of the folder or to a folder, and what is no regular file are
    left out, and named in the report.

    Args:
        checker: Checks every CSV and Parquet file of the source, also those that `main` has already.
        read_table: Reads a file into a pandas table; None reads as the stage `ingest` does.
        delete: Remove the objects below `dest/` that the folder lacks; a single file removes none.
        metadata: Kept with the commits, beside the import's id and the source's name.

    Raises:
        ImportFailed: The source is missing, empty or unreadable, or changed while it was imported.
        ImportRejected: The schema says no.
        ImportConflict: `main` changed the same objects meanwhile. Only then the branch stays.
        InvalidName: `dest` is no place for data.
    """
    target = _checked_dest(dest)
    with _said_of(source):
        found = find_files(source)
        if found.is_single and _is_folder(dest, source):
            target = f"{target}/{source.name}"
        plan = _make_plan(lake, source, target, found, delete)
        audit = Audit(checker, read_table)
        if not plan.has_changes:
            return _report(plan, commit=plan.head, checked=audit.check(plan.tables))
        name = source.resolve().name
        text = message or f"import {name} into {target}"
        return _through_branch(lake, plan, audit, text, {"source": name, **(metadata or {})})


def _through_branch(
    lake: LakeStore, plan: _Plan, audit: Audit, message: str, metadata: Mapping[str, str]
) -> ImportReport:
    identity = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    name = f"{BRANCH_PREFIX}{identity}"
    told = {"import": identity, **metadata}
    with _branch(lake, name, plan.head):
        try:
            stored = _write(lake, name, plan, message, told)
        except NoChanges:  # objects whose checksum says nothing of their bytes had these very bytes
            plan = replace(plan, added=(), changed=(), removed=())
            return _report(plan, commit=plan.head, checked=audit.check(plan.tables))
        checked = audit.check(plan.tables)
        if checked:
            _check_unmoved(plan, stored)
        commit = _publish(lake, name, message, told)
    size = sum(info.bytes for info in stored)
    return _report(plan, commit=commit, branch=name, size=size, checked=checked)


@contextlib.contextmanager
def _branch(lake: LakeStore, name: str, head: str) -> Iterator[None]:
    """Lend a branch, and delete it at the end, unless a conflict is to be looked at there."""
    lake.create_branch(name, head)
    try:
        yield
    except ImportConflict:
        raise
    except BaseException:
        # What went wrong is the error to tell, not a lake that cannot be reached to tidy up.
        with contextlib.suppress(LakeError):
            lake.delete_branch(name)
        raise
    with contextlib.suppress(LakeError):  # `main` holds its commits now; a leftover name does no harm
        lake.delete_branch(name)


def _write(
    lake: LakeStore, branch: str, plan: _Plan, message: str, metadata: Mapping[str, str]
) -> Sequence[ObjectInfo]:
    stored = lake.put_many(branch, plan.written)
    if plan.removed:
        lake.delete(branch, plan.removed)
    lake.commit(branch, message, metadata)
    return stored


def _check_unmoved(plan: _Plan, stored: Sequence[ObjectInfo]) -> None:
    """Make sure that the tables which were checked are those which were stored."""
    for info in stored:
        file = plan.files[info.path]
        if is_table(file) and digest_file(file) != info.digest:
            raise ImportFailed(
                f"{file} was written to while it was imported, nothing is published; try again"
            )


def _publish(lake: LakeStore, branch: str, message: str, metadata: Mapping[str, str]) -> str:
    """Merge into `main`, again where it moved at that very moment. Returns the commit."""
    for pause in (*(0.1 * 2**turn for turn in range(_TRIES - 1)), None):
        try:
            return lake.merge(branch, MAIN, message, metadata).id
        except MergeConflict as conflict:
            raise ImportConflict(branch, conflict.paths) from conflict
        except NoChanges:
            break  # somebody else has imported the very same meanwhile
        except (LakeBusy, PreconditionFailed):
            if pause is None:
                raise
            time.sleep(pause)
    return lake.resolve(MAIN)


def _checked_dest(dest: str) -> str:
    target = dest.strip("/")
    parts = target.split("/")
    hint = "write a path such as data/penguins"
    if any(part in ("", ".", "..") for part in parts) or "\0" in target:
        raise InvalidName(f"{dest!r} is no place in the lake (no empty part, no '.' and no '..'): {hint}")
    if parts[0] in OWN_FOLDERS:
        raise InvalidName(f"{dest!r}: headrace keeps its own {parts[0]} in {parts[0]}/; {hint}")
    return target


def _is_folder(dest: str, source: Path) -> bool:
    return dest.endswith("/") or (bool(source.suffix) and not PurePosixPath(dest).suffix)


def _make_plan(lake: LakeStore, source: Path, target: str, found: Found, delete: bool) -> _Plan:
    head = lake.resolve(MAIN)
    files = {f"{target}/{name}" if name else target: file for name, file in found.files.items()}
    listing = lake.list(head, prefix=target if found.is_single else f"{target}/")
    present = {info.path: info for info in listing if isinstance(info, ObjectInfo)}
    return _Plan(
        head=head,
        files=files,
        names={path: name or source.name for path, name in zip(files, found.files, strict=True)},
        skipped=found.skipped,
        added=[path for path in files if path not in present],
        changed=[path for path, file in files.items() if path in present and _differs(file, present[path])],
        removed=[path for path in present if path not in files] if delete and not found.is_single else [],
    )


def _differs(file: Path, info: ObjectInfo) -> bool:
    algorithm, _, wanted = info.digest.partition(":")
    if file.stat().st_size != info.bytes or algorithm not in ("sha256", "md5"):
        return True
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return found.hexdigest() != wanted


@contextlib.contextmanager
def _said_of(source: Path) -> Iterator[None]:
    """Tell what the file system said in words about the source."""
    try:
        yield
    except FileNotFoundError as error:
        what = error.filename or source
        raise ImportFailed(
            f"{what} vanished while it was imported, nothing is published; try again"
        ) from error
    except OSError as error:
        raise ImportFailed(f"{source} cannot be imported, nothing is published: {error}") from error


def _report(plan: _Plan, *, commit: str, branch: str = "", size: int = 0, checked: int) -> ImportReport:
    return ImportReport(
        commit=commit,
        branch=branch,
        added=tuple(plan.added),
        changed=tuple(plan.changed),
        removed=tuple(plan.removed),
        unchanged=len(plan.files) - len(plan.written),
        bytes=size,
        skipped=tuple(plan.skipped),
        checked=checked,
    )
