"""Published models as inputs of a run: `model:NAME@ALIAS`, or `model:NAME/VERSION` for one that is fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.artifact import Artifact, lake_uri
from headrace.errors import SourceNotFound, did_you_mean

SCHEME = "model:"
NONE_YET = ""  # the digest where an alias names no version

Registries = Callable[[str], tuple[str, Mapping[str, Any]]]
"""Returns by a model's name the commit at which its registry was read, and the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    version: int
    package: Artifact


class SourceModels:
    """Finds what `model:` URIs name, each once: a run sees one version however often it looks.

    `pinned` says of URIs which version they name here, None for no version, whatever the registry says.
    """

    def __init__(self, registries: Registries, pinned: Mapping[str, int | None] | None = None) -> None:
        self._registries = registries
        self._pinned = dict(pinned or {})
        self._found: dict[str, _Model | None] = {}

    def package(self, uri: str) -> Artifact | None:
        """Return the version's package; None where an alias names none yet. Raises `SourceNotFound`."""
        found = self._find(uri)
        return None if found is None else found.package

    def digest(self, uri: str) -> str:
        found = self.package(uri)
        return NONE_YET if found is None else found.digest

    def describe(self, uri: str) -> dict[str, Any]:
        """Say what it is: `uri`, `bytes`, `version` and the `artifact` of its package; without one, None."""
        found = self._find(uri)
        if found is None:
            return {"uri": uri, "bytes": 0, "files": None, "version": None, "artifact": None}
        about = {"version": found.version, "artifact": found.package.uri}
        return {"uri": uri, "bytes": found.package.bytes, "files": None, **about}

    def _find(self, uri: str) -> _Model | None:
        if uri not in self._found:
            self._found[uri] = self._look_up(uri)
        return self._found[uri]

    def _look_up(self, uri: str) -> _Model | None:
        name, alias, version = _parse(uri)
        commit, registry = self._registries(name)
        versions = {entry["version"]: entry for entry in registry["versions"]}
        if uri in self._pinned:
            number = self._pinned[uri]
        else:
            number = registry["aliases"].get(alias) if version is None else version
        if number is None:
            return None
        if number not in versions:
            hint = did_you_mean(f"{SCHEME}{name}/{number}", [f"{SCHEME}{name}/{one}" for one in versions])
            raise SourceNotFound(f"the lake has no version {number} of a model '{name}'", hint)
        return _Model(version=number, package=_package(name, commit, versions[number]))


def _parse(uri: str) -> tuple[str, str, int | None]:
    """Return name, alias ('' for none) and version."""
    rest = uri.removeprefix(SCHEME)
    name, at, alias = rest.partition("@")
    if at and name and alias:
        return name, alias, None
    name, slash, version = rest.rpartition("/")
    if slash and name and version.isascii() and version.isdecimal():
        return name, "", int(version)
    found = f"'{uri}' names no model"
    raise SourceNotFound(found, f"write {SCHEME}NAME@ALIAS or {SCHEME}NAME/VERSION")


def _package(name: str, commit: str, entry: Mapping[str, Any]) -> Artifact:
    """Return the package where it was published: the run's branch may be collected one day."""
    file = str(entry["uri"]).rpartition("/")[2]
    folder = f"models/{name}/{entry['version']}"
    path = f"{folder}/{file}" if "." in file else folder  # a directory's path has no suffix
    return Artifact.from_json({**entry, "uri": lake_uri(commit, path)})
