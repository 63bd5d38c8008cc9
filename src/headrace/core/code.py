"""The code that a call reaches: first-party modules by digest, third-party packages by version."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from headrace.core import module as source
from headrace.core.module import Facts

Remember = Callable[[str, Path, Callable[[], Any]], Any]
"""`remember(kind, file, compute)` returns what was computed for the file as it is now."""

OWN = "headrace"
IMPORT_NAMES = {"sklearn": "scikit-learn", "yaml": "PyYAML", "PIL": "pillow", "hydra": "hydra-core"}


@dataclass(frozen=True, slots=True)
class Reach:
    """First-party `modules` with their digests, `packages` with versions, and unfollowed imports."""

    modules: dict[str, str]
    packages: dict[str, str]
    dynamic: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """A module's file; None for a namespace package or one without source."""

    name: str
    file: Path | None
    is_package: bool


class CodeIndex:
    """Reads modules by their source, each at most once per content (through `remember`)."""

    def __init__(self, remember: Remember) -> None:
        self._remember = remember
        self._located: dict[str, Located | None] = {}
        self._code: dict[str, Facts] = {}
        self._tops: dict[str, ModuleSpec | None] = {}

    def locate(self, name: str) -> Located | None:
        """Find a module without importing it or its parents; None where there is none."""
        if name not in self._located:
            self._located[name] = self._search(name)
        return self._located[name]

    def _search(self, name: str) -> Located | None:
        top, *rest = name.split(".")
        spec = self._top(top)
        if spec is None:
            return None
        folders = None
        if spec.submodule_search_locations is not None:
            folders = [Path(place) for place in spec.submodule_search_locations]
        found = Located(name, _source_file(spec.origin), folders is not None)
        for part in rest:
            if folders is None:
                return None
            inside = _look_inside(folders, part)
            if inside is None:
                return None
            file, folders = inside
            found = Located(name, file, folders is not None)
        return found

    def _top(self, top: str) -> ModuleSpec | None:
        if top not in self._tops:
            self._tops[top] = _find_top(top)
        return self._tops[top]

    def _is_first_party(self, top: str, own: set[str]) -> bool:
        if top in own:
            return True
        spec = self._top(top)
        if spec is None:
            return False
        where = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
        installed = {"site-packages", "dist-packages"}.intersection(Path(where).parts)
        return not (installed or where in ("built-in", "frozen") or where.startswith(_library_folders()))

    def names(self, located: Located) -> Facts:
        """Return what a module defines; see `module.read_names`."""
        return self._read("names", located, source.read_names)

    def code(self, located: Located) -> Facts:
        """Return a module's digest and imports; see `module.read_code`."""
        if located.name not in self._code:
            self._code[located.name] = self._read("code", located, source.read_code)
        return self._code[located.name]

    def definitions(self, name: str) -> dict[str, str]:
        """Return the digests of what a module defines, by name."""
        located = self.locate(name)
        return {} if located is None else dict(self.code(located).get("definitions", {}))

    def _read(self, kind: str, at: Located, read: Callable[[str, str, bool], Facts]) -> Facts:
        file = at.file
        if file is None:
            return read("", at.name, at.is_package)
        return dict(
            self._remember(
                f"{kind}{source.FORMAT}:{at.name}",
                file,
                lambda: read(file.read_text(encoding="utf-8"), at.name, at.is_package),
            )
        )

    def deepest(self, dotted: str) -> Located | None:
        """Return the longest prefix of a dotted name that is a module."""
        name = dotted
        while name:
            if located := self.locate(name):
                return located
            name = name.rpartition(".")[0]
        return None

    def reach(self, roots: list[str]) -> Reach:
        """Follow imports from dotted names (modules or things in them) through first-party code."""
        own = {root.partition(".")[0] for root in roots[:1]} | {OWN}
        modules: dict[str, str] = {}
        packages: set[str] = set()
        dynamic: list[str] = []
        pending = list(roots)
        while pending:
            dotted = pending.pop()
            top = dotted.partition(".")[0]
            if not top or top in sys.stdlib_module_names:
                continue
            if not self._is_first_party(top, own):
                packages.add(top)
                continue
            found = self.deepest(dotted)
            for located in self._with_parents(found) if found else ():
                if located.name in modules:
                    continue
                facts = self.code(located)
                modules[located.name] = facts["digest"]
                pending.extend(facts["imports"])
                dynamic.extend(f"{located.name}:{line}" for line in facts["dynamic"])
        versions = {name: version for name, version in map(self._package, packages) if version}
        return Reach(dict(sorted(modules.items())), dict(sorted(versions.items())), tuple(sorted(dynamic)))

    def _package(self, top: str) -> tuple[str, str]:
        """Return the distribution behind an import name and its version; an upgrade replaces its files."""
        located = self.locate(top)
        if located is None:
            return top, ""  # an optional import that is not installed
        if located.file is None:
            return package_version(top)
        found = self._remember(f"package:{top}", located.file, lambda: list(package_version(top)))
        return str(found[0]), str(found[1])

    def _with_parents(self, located: Located) -> list[Located]:
        found = [located]
        name = located.name
        while "." in name:
            name = name.rpartition(".")[0]
            if parent := self.locate(name):
                found.append(parent)
        return found


def _source_file(origin: str | None) -> Path | None:
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _look_inside(folders: list[Path], part: str) -> tuple[Path | None, list[Path] | None] | None:
    """Find a submodule: its source file, and its folders if it is a package; None where there is none.

    `PathFinder` would do, but for a namespace package it wants the parent imported.
    """
    for folder in folders:
        if (package := folder / part / "__init__.py").is_file():
            return package, [package.parent]
        if (module := folder / f"{part}.py").is_file():
            return module, None
        if any(folder.glob(f"{part}.*.so")) or (folder / f"{part}.so").is_file():
            return None, None
    spaces = [folder / part for folder in folders if (folder / part).is_dir()]
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
    return tuple({paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]})


@cache
def package_version(top: str) -> tuple[str, str]:
    """Return the distribution that provides a top-level import name, and its version ('' if unknown)."""
    from importlib import metadata  # slow to import, and remembered results seldom need it

    name = IMPORT_NAMES.get(top, top)
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    # The full table reads every installed package: only for names that differ from their package's.
    for distribution in metadata.packages_distributions().get(top, []):
        return distribution, metadata.version(distribution)
    return top, ""
