"""What of a source is to be imported, and what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from headrace.errors import SHOWN_AT_MOST, HeadraceError, did_you_mean


class ImportFailed(HeadraceError):
    """The files cannot be imported as they are; `main` is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a source by their name relative to it; '' is the source itself, a single file.

    `skipped` names what is left out, each with the reason.
    """

    files: Mapping[str, Path]
    skipped: Sequence[str]

    @property
    def is_single(self) -> bool:
        return "" in self.files


def find_files(source: Path) -> Found:
    """Find every file of a folder, or the one file. Raises `ImportFailed` where there is none.

    Left out are hidden files and folders, links out of the folder, to a folder or to nothing, and
    what is no regular file. A folder that cannot be read is an error, not an empty one.
    """
    if source.is_file():
        return Found(files={"": source}, skipped=())
    if not source.is_dir():
        raise _no_source(source)
    root = source.resolve()
    files: dict[str, Path] = {}
    skipped: list[str] = []
    for path, is_folder in _walk(source):
        name = path.relative_to(source).as_posix()
        if reason := _why_not(path, root, is_folder):
            skipped.append(f"{name} ({reason})")
        elif not is_folder:
            files[name] = path
    if not files:
        raise ImportFailed(f"{source} holds no file to import{_left_out(skipped)}")
    return Found(files=files, skipped=skipped)


def _no_source(source: Path) -> ImportFailed:
    if source.exists():
        return ImportFailed(f"{source} is neither a file nor a folder")
    parent = source.parent
    names = [child.name for child in parent.iterdir()] if parent.is_dir() else []
    hint = f"; {did_you_mean(source.name, names)}" if names else ""
    return ImportFailed(f"there is no file or folder {source}{hint}")


def _left_out(skipped: Sequence[str]) -> str:
    if not skipped:
        return ": it is empty"
    more = f" and {len(skipped) - SHOWN_AT_MOST} more" if len(skipped) > SHOWN_AT_MOST else ""
    return f"; left out: {', '.join(skipped[:SHOWN_AT_MOST])}{more}"


def _walk(source: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each file, and each folder (True); what lies below a hidden or linked one is not looked at."""
    for folder, folders, names in os.walk(source, onerror=_raise):
        for name in sorted(folders):
            yield Path(folder, name), True
        for name in sorted(names):
            yield Path(folder, name), False
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _why_not(path: Path, root: Path, is_folder: bool) -> str:
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink():
        if not path.exists():
            return "a link to nothing"
        if not path.resolve().is_relative_to(root):
            return "a link out of the folder"
        if is_folder:
            return "a link to a folder"
    return "" if is_folder or path.is_file() else "no regular file"


def _raise(error: OSError) -> NoReturn:
    raise error
