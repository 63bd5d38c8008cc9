"""A directory, copied file by file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from headrace.errors import StageError


class FilesCodec:
    """Stores what a `pathlib.Path` points to; reading gives the path of a directory.

    A path to a single file makes a directory that holds just this file under its own name. Times,
    permissions and empty directories are not kept. Links are refused: what they point to may change
    or lie outside.
    """

    name = "files"
    suffix = ""

    def accepts(self, value: object) -> bool:
        return isinstance(value, Path)

    def write(self, value: Path, path: Path) -> None:
        if not value.exists():
            raise StageError(f"{value} does not exist.\n      Write the files before returning their path.")
        if value.is_file():
            sources = {value.name: value}
        else:
            sources = {str(file.relative_to(value)): file for file in _files_under(value)}
        if not sources:
            raise StageError(f"{value} holds no file.\n      Write at least one, or drop the output.")
        for name, source in sources.items():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def read(self, path: Path, wanted: str) -> Any:
        if wanted not in ("", "pathlib.Path"):
            raise StageError(
                f"{path.name} is a directory of files, which cannot be given as {wanted}.\n"
                "      Annotate the argument with pathlib.Path."
            )
        return path


def _files_under(folder: Path) -> list[Path]:
    found = []
    for entry in sorted(folder.rglob("*")):
        if entry.is_symlink():
            raise StageError(f"{entry} is a link.\n      Put the file itself there.")
        if entry.is_file():
            found.append(entry)
    return found
