"""Where a module's source is, and whose it is, without importing anything."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

NO_FILE_NAME = frozenset("*?[/\\\0")  # a name that `import_module` is given may be any string


@dataclass(frozen=True, slots=True)
class Located:
    """A module's file; None for a namespace package or one without source. Only packages have `folders`."""

    name: str
    file: Path | None
    folders: tuple[Path, ...] | None

    @property
    def is_package(self) -> bool:
        return self.folders is not None


class Locator:
    """Finds modules on `sys.path` as it is at the first question, each once."""

    def __init__(self) -> None:
        self._located: dict[str, Located | None] = {}
        self._tops: dict[str, ModuleSpec | None] = {}
        self._standard: dict[str, bool] = {}

    def locate(self, name: str) -> Located | None:
        """Find a module without importing it or its parents; None where there is none."""
        if name not in self._located:
            self._located[name] = self._search(name)
        return self._located[name]

    def within(self, package: Located) -> Iterator[Located]:
        """Yield every module with source that lies in a package, at any depth."""
        for folder in package.folders or ():
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                is_package = entry.is_dir() and (folder / entry.name / "__init__.py").is_file()
                part = entry.name if is_package else entry.name.removesuffix(".py")
                if part == "__init__" or not (is_package or entry.name.endswith(".py")):
                    continue
                found = self.locate(f"{package.name}.{part}")
                if found is not None:
                    yield found
                    yield from self.within(found) if is_package else ()

    def is_standard(self, top: str) -> bool:
        """Tell whether a top-level name is the standard library's, and not shadowed by somebody's own."""
        if top not in self._standard:
            spec = self._top(top) if top in sys.stdlib_module_names else None
            place = _place(spec) if spec is not None else ""
            own = place not in ("", "built-in", "frozen") and not place.startswith(_library_folders())
            self._standard[top] = top in sys.stdlib_module_names and not own
        return self._standard[top]

    def is_installed(self, top: str) -> bool:
        """Tell whether a top-level name lies in a library folder, or is not there at all."""
        spec = self._top(top)
        if spec is None:
            return True
        place = _place(spec)
        packages = {"site-packages", "dist-packages"}.intersection(Path(place).parts)
        return bool(packages) or place in ("built-in", "frozen") or place.startswith(_library_folders())

    def _search(self, name: str) -> Located | None:
        top, *rest = name.split(".")
        spec = self._top(top)
        if spec is None:
            return None
        folders = None
        if spec.submodule_search_locations is not None:
            folders = tuple(Path(place) for place in spec.submodule_search_locations)
        found = Located(name, _source_file(spec.origin), folders)
        for part in rest:
            if folders is None:
                return None
            inside = _look_inside(folders, part)
            if inside is None:
                return None
            file, folders = inside
            found = Located(name, file, folders)
        return found

    def _top(self, top: str) -> ModuleSpec | None:
        if top not in self._tops:
            self._tops[top] = _find_top(top)
        return self._tops[top]


def _place(spec: ModuleSpec) -> str:
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "")


def _source_file(origin: str | None) -> Path | None:
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _look_inside(folders: tuple[Path, ...], part: str) -> tuple[Path | None, tuple[Path, ...] | None] | None:
    """Find a submodule: its source file, and its folders if it is a package; None where there is none.

    `PathFinder` would do, but for a namespace package it wants the parent imported.
    """
    if not part or NO_FILE_NAME.intersection(part):
        return None
    for folder in folders:
        if (package := folder / part / "__init__.py").is_file():
            return package, (package.parent,)
        if (module := folder / f"{part}.py").is_file():
            return module, None
        if any(folder.glob(f"{part}.*.so")) or (folder / f"{part}.so").is_file():
            return None, None
    spaces = tuple(folder / part for folder in folders if (folder / part).is_dir())
    return (None, spaces) if spaces else None


def _find_top(top: str) -> ModuleSpec | None:
    if spec := PathFinder.find_spec(top):
        return spec
    try:
        return util.find_spec(top)
    except (ImportError, ValueError):
        return None


@cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    # Where `os` was found is what `sys.path` calls the folder, which may be a link to what sysconfig says.
    return tuple(
        {*(paths[n] for n in ("stdlib", "platstdlib", "purelib", "platlib")), str(Path(os.__file__).parent)}
    )
