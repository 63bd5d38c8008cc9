"""The code that a call reaches: first-party modules by digest, third-party packages by version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from headrace.core import module as source
from headrace.core.imports import STAR
from headrace.core.locate import Located, Locator
from headrace.core.module import Facts
from headrace.errors import ConfigError

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
class _Found:
    """What some dotted names lead to: first-party modules with their parents, and other packages."""

    modules: tuple[Located, ...]
    packages: frozenset[str]


class CodeIndex:
    """Reads modules by their source, each at most once per content (through `remember`).

    A file that changes while the index lives is not read again.
    """

    def __init__(self, remember: Remember) -> None:
        self._remember = remember
        self._places = Locator()
        self._code: dict[str, Facts] = {}
        self._imported: dict[tuple[str, str], _Found] = {}

    def locate(self, name: str) -> Located | None:
        """Find a module without importing it or its parents; None where there is none."""
        return self._places.locate(name)

    def names(self, located: Located) -> Facts:
        """Return what a module defines; see `module.read_names`."""
        return self._read("names", located, source.read_names)

    def code(self, located: Located) -> Facts:
        """Return a module's digest and imports; see `module.read_code`."""
        if located.name not in self._code:
            self._code[located.name] = self._read("code", located, source.read_code)
        return self._code[located.name]

    def definitions(self, name: str) -> Mapping[str, str]:
        """Return the short digests of what a module defines; see `code_change.read_definitions`."""
        located = self.locate(name)
        return {} if located is None else dict(self.code(located)["definitions"])

    def _read(self, kind: str, at: Located, read: Callable[[str | bytes, str, bool], Facts]) -> Facts:
        file = at.file
        if file is None:
            return read("", at.name, at.is_package)
        name = f"{kind}{source.FORMAT}:{at.name}"
        try:
            return dict(self._remember(name, file, lambda: read(file.read_bytes(), at.name, at.is_package)))
        except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: a null byte, to Python 3.11
            line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            what = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ConfigError.one(f"{file}{line}", f"this is not Python: {what}", "mend the file") from error

    def deepest(self, dotted: str) -> Located | None:
        """Return the longest prefix of a dotted name that is a module."""
        name = dotted
        while name:
            if located := self.locate(name):
                return located
            name = name.rpartition(".")[0]
        return None

    def reach(self, roots: list[str]) -> Reach:
        """Follow imports from dotted names (modules or things in them) through first-party code.

        The first root says whose code counts wherever it is installed. A root that is itself a package
        stands for everything in it. Raises `ConfigError` for a file that is not Python.
        """
        own = roots[0].partition(".")[0] if roots else OWN
        first = self._find(own, self._with_insides(roots))
        packages = set(first.packages)
        pending = list(first.modules)
        modules: dict[str, Facts] = {}
        while pending:
            located = pending.pop()
            if located.name in modules:
                continue
            modules[located.name] = self.code(located)
            found = self._follow(own, located)
            packages |= found.packages
            pending.extend(found.modules)
        versions = {name: version for name, version in map(self._package, packages) if version}
        return Reach(
            {name: modules[name]["digest"] for name in sorted(modules)},
            dict(sorted(versions.items())),
            tuple(f"{name}:{line}" for name in sorted(modules) for line in modules[name]["dynamic"]),
        )

    def _follow(self, own: str, located: Located) -> _Found:
        at = (own, located.name)
        if at not in self._imported:
            self._imported[at] = self._find(own, self.code(located)["imports"])
        return self._imported[at]

    def _find(self, own: str, names: Iterable[str]) -> _Found:
        modules: dict[str, Located] = {}
        packages: set[str] = set()
        for dotted in names:
            top = dotted.partition(".")[0]
            if not top or self._places.is_standard(top):
                continue
            if top not in (own, OWN) and self._places.is_installed(top):
                packages.add(top)
                continue
            modules.update((found.name, found) for found in self._modules(dotted))
        return _Found(tuple(modules.values()), frozenset(packages))

    def _modules(self, dotted: str) -> Iterator[Located]:
        """Yield the deepest module of a dotted name with its parents, and what a star brings."""
        name = dotted.removesuffix(f".{STAR}")
        found = self.deepest(name)
        if found is None:
            return
        yield from self._with_parents(found)
        if name != dotted and found.name == name:
            inside = (self.locate(f"{name}.{export}") for export in self.code(found)["exports"])
            yield from filter(None, inside)

    def _with_insides(self, roots: Iterable[str]) -> Iterator[str]:
        for root in roots:
            yield root
            located = self.locate(root)
            if (
                located is not None
                and located.is_package
                and not self._places.is_installed(root.partition(".")[0])
            ):
                yield from (found.name for found in self._places.within(located))

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
