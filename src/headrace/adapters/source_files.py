"""External inputs: files in packages, on disk and in the lake, by URI and digest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headrace.core.digest import digest_file, digest_listing
from headrace.core.ports import LakeReader, ObjectInfo
from headrace.errors import LakeError, StageError, did_you_mean

_KIND = "sha256"
_LISTED_AT_MOST = 1000  # files of one source that a record names


@dataclass(frozen=True, slots=True)
class Source:
    """One external input: its digest, and its files, of which a URI without a glob has exactly one."""

    digest: str
    paths: tuple[Path, ...]
    is_many: bool


class Sources:
    """Finds what `package:`, `file:` and `lake:` URIs name. `commit` is where lake URIs read."""

    def __init__(
        self, remember: Callable[[str, Path, Callable[[], Any]], Any], lake: LakeReader, commit: str
    ) -> None:
        self.commit = commit
        self._remember = remember
        self._lake = lake

    def digest(self, uri: str) -> str:
        """Return a source's digest; for the lake it is known without reading. Raises `StageError`."""
        scheme, _, rest = uri.partition(":")
        return (
            _digest_objects(rest, self._lake_objects(rest)) if scheme == "lake" else self._files(uri).digest
        )

    def find(self, uri: str, folder: Path) -> Source:
        """Return a source with its local files. Raises `StageError` naming what is missing.

        What the lake holds is linked into `folder` under its own name, by which readers go.
        """
        scheme, _, rest = uri.partition(":")
        if scheme != "lake":
            return self._files(uri)
        objects = self._lake_objects(rest)
        files = self._lake.local_paths(self.commit, objects)
        links = tuple(_link(folder / info.path, file) for info, file in zip(objects, files, strict=True))
        return Source(_digest_objects(rest, objects), links, objects[0].path != rest)

    def describe(self, uri: str) -> dict[str, Any]:
        """Say what a source is: `uri`, `bytes`, and `files` (digest by name) where they are not too many."""
        scheme, _, rest = uri.partition(":")
        if scheme == "lake":
            objects = self._lake_objects(rest)
            size = sum(info.bytes for info in objects)
            files = {info.path: info.digest for info in objects}
        else:
            paths = self._files(uri).paths
            size = sum(path.stat().st_size for path in paths)
            files = {path.as_posix(): self._digest_file(path) for path in paths}
        return {"uri": uri, "bytes": size, "files": files if len(files) <= _LISTED_AT_MOST else None}

    def _digest_file(self, path: Path) -> str:
        return str(self._remember(_KIND, path, lambda: digest_file(path)))

    def _files(self, uri: str) -> Source:
        scheme, _, rest = uri.partition(":")
        files, is_many = _package_file(rest) if scheme == "package" else _disk_files(rest)
        digests = [self._digest_file(path) for path in files]
        if not is_many:
            return Source(digests[0], tuple(files), False)
        listing = zip((path.name for path in files), digests, strict=True)
        return Source(digest_listing(listing), tuple(files), True)

    def _lake_objects(self, path: str) -> list[ObjectInfo]:
        try:
            found = list(self._lake.list(self.commit, prefix=path))
        except LakeError as error:
            raise StageError(f"lake:{path} cannot be read: {error}") from error
        objects = [info for info in found if isinstance(info, ObjectInfo)]
        exact = [info for info in objects if info.path == path]
        below = [info for info in objects if path.endswith("/") or info.path.startswith(f"{path}/")]
        if not exact and not below:
            raise StageError(f"the lake holds nothing at {path} (commit {self.commit[:12]})")
        return exact or below


def _link(link: Path, file: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file.absolute())
    return link


def _digest_objects(path: str, objects: Sequence[ObjectInfo]) -> str:
    """Return the digest of one object as the lake knows it, or of all below a path."""
    if objects[0].path == path:
        return objects[0].digest
    return digest_listing((info.path, info.digest) for info in objects)


def _package_file(rest: str) -> tuple[list[Path], bool]:
    package, _, inside = rest.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise StageError(f"package '{package}' is not installed; type: pip install {package}")
    file = Path(next(iter(spec.submodule_search_locations))) / inside
    if not file.is_file():
        names = [child.name for child in file.parent.iterdir()] if file.parent.is_dir() else []
        raise StageError(f"package '{package}' has no file {inside}; {did_you_mean(file.name, names)}")
    return [file], False


def _disk_files(rest: str) -> tuple[list[Path], bool]:
    if any(sign in rest for sign in "*?["):
        root = Path("/") if rest.startswith("/") else Path()
        files = sorted(path for path in root.glob(rest.lstrip("/")) if path.is_file())
        if not files:
            raise StageError(f"no file matches {rest}")
        return files, True
    file = Path(rest)
    if not file.is_file():
        names = [child.name for child in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = f"; {did_you_mean(file.name, names)}" if names else ""
        raise StageError(f"there is no file {rest}{hint}")
    return [file], False
