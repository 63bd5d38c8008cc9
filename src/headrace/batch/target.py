"""Where scored tables go: a file on disk, or one commit in the lake. Nothing half-done is ever seen there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from headrace.core.artifact import lake_uri
from headrace.core.ports import MAIN, LakeStore
from headrace.errors import LakeBusy, MergeConflict, NoChanges, ObjectNotFound, RefNotFound

_TRIES = 10


class Target(Protocol):
    """Where the output goes, and beside it the rows that were rejected."""

    def digests(self) -> list[str]:
        """Return the digests of output and rejected rows as they are there now, '' where there is none."""

    def scratch(self, key: str, folder: Path) -> tuple[Path, Path]:
        """Return where to write both so that `publish` need not copy them."""

    def publish(self, output: Path, rejected: Path | None, about: Mapping[str, str]) -> list[str]:
        """Put both in their places, and return what they are called there."""


def rejected_name(path: str, suffix: str) -> str:
    """Return the name of the rejected rows: `scored.rejected.csv` beside `scored.csv`."""
    return f"{path[: -len(suffix)]}.rejected{path[-len(suffix) :]}"


class FileTarget:
    """A file on disk, replaced at once. Rejected rows of an earlier output go with it."""

    def __init__(self, path: str, suffix: str, digest: Callable[[Path], str]) -> None:
        self._output = Path(path)
        self._rejected = Path(rejected_name(path, suffix))
        self._digest = digest

    def digests(self) -> list[str]:
        return [self._digest(file) if file.is_file() else "" for file in (self._output, self._rejected)]

    def scratch(self, key: str, folder: Path) -> tuple[Path, Path]:
        self._output.parent.mkdir(parents=True, exist_ok=True)
        beside = [file.with_name(f".{file.name}.{key[:16]}.tmp") for file in (self._output, self._rejected)]
        return beside[0], beside[1]

    def publish(self, output: Path, rejected: Path | None, about: Mapping[str, str]) -> list[str]:
        if rejected is None:
            self._rejected.unlink(missing_ok=True)
        else:
            rejected.replace(self._rejected)
        output.replace(self._output)
        return [str(self._output), *([] if rejected is None else [str(self._rejected)])]


class LakeTarget:
    """A path on `main` of the lake: output and rejected rows are one commit."""

    def __init__(self, lake: LakeStore, path: str, suffix: str) -> None:
        self._lake = lake
        self._output, self._rejected = path, rejected_name(path, suffix)

    def digests(self) -> list[str]:
        main = self._lake.resolve(MAIN)
        found = []
        for path in (self._output, self._rejected):
            try:
                found.append(self._lake.stat(main, path).digest)
            except ObjectNotFound:
                found.append("")
        return found

    def scratch(self, key: str, folder: Path) -> tuple[Path, Path]:
        return folder / "output", folder / "rejected"

    def publish(self, output: Path, rejected: Path | None, about: Mapping[str, str]) -> list[str]:
        branch = f"predict-{about['batch'][:16]}"
        message = f"predictions of {about['model']} version {about['version']} at {self._output}"
        for _ in range(_TRIES):
            self._drop(branch)  # of a batch that was killed
            self._lake.create_branch(branch, MAIN)
            self._lake.put(branch, self._output, output)
            if rejected is None:
                self._lake.delete(branch, [self._rejected])
            else:
                self._lake.put(branch, self._rejected, rejected)
            self._lake.commit(branch, message, about, allow_empty=True)
            try:
                with suppress(NoChanges):
                    self._lake.merge(branch, MAIN, message, about)
            except MergeConflict:
                continue  # somebody else wrote there meanwhile: the last one wins
            finally:
                self._drop(branch)
            main = self._lake.resolve(MAIN)
            paths = [self._output, *([] if rejected is None else [self._rejected])]
            return [lake_uri(main, path) for path in paths]
        raise LakeBusy(f"others write to {self._output} without pause; the same command tries again")

    def _drop(self, branch: str) -> None:
        with suppress(RefNotFound):
            self._lake.delete_branch(branch)
