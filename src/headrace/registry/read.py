"""Reading a registry: versions, by digest, number or alias, and the tags on the commits that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from headrace.core.ports import MAIN, LakeReader
from headrace.errors import ModelNotFound, ObjectNotFound, did_you_mean

FORMAT = 1


def registry_path(model: str) -> str:
    return f"models/{model}/registry.json"


def tag_name(model: str, version: int | str) -> str:
    """Return the name of the tag on the commit that published a version."""
    return f"{model}-v{version}"


def read_registry(lake: LakeReader, ref: str, model: str) -> dict[str, Any]:
    """Return a model's registry at a ref; one without versions where the model is new."""
    try:
        with lake.open(ref, registry_path(model)) as file:
            return dict(json.load(file))
    except ObjectNotFound:
        return {"format": FORMAT, "model": model, "versions": [], "aliases": {}}


def read_current(lake: LakeReader, model: str) -> tuple[str, dict[str, Any]]:
    """Return the commit that `main` is at, and a model's registry there."""
    commit = lake.resolve(MAIN)
    return commit, read_registry(lake, commit, model)


def list_models(lake: LakeReader, ref: str = MAIN) -> list[str]:
    """Return the names of the models that have a registry at a ref, sorted."""
    names = (folder.path.split("/")[1] for folder in lake.list(ref, prefix="models/", delimiter="/"))
    found = []
    for name in names:
        with suppress(ObjectNotFound):
            lake.stat(ref, registry_path(name))
            found.append(name)
    return sorted(found)


def find_tag(lake: LakeReader, name: str) -> str | None:
    """Return the commit that a tag of exactly this name is on."""
    return next((found.commit for found in lake.tags(name) if found.name == name), None)


def find_version(registry: Mapping[str, Any], digest: str) -> dict[str, Any] | None:
    """Return the version whose package has this digest."""
    return next((v for v in registry["versions"] if v["digest"] == digest), None)


def find_numbered(registry: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the version of this number. Raises `ModelNotFound`."""
    require_versions(registry)
    known = {int(entry["version"]): entry for entry in registry["versions"]}
    if version not in known:
        shown = did_you_mean(str(version), map(str, known), "version={}")
        raise ModelNotFound(f"{registry['model']} has no version {version}; {shown}")
    return dict(known[version])


def find_aliased(registry: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Return the version that an alias names. Raises `ModelNotFound`."""
    require_versions(registry)
    model, aliases = registry["model"], registry["aliases"]
    if alias not in aliases:
        raise ModelNotFound(f"{model} has no alias {alias!r}; {did_you_mean(alias, aliases)}")
    return next(entry for entry in registry["versions"] if entry["version"] == aliases[alias])


def require_versions(registry: Mapping[str, Any]) -> None:
    """Raise `ModelNotFound` for a model that has no version."""
    if not registry["versions"]:
        raise ModelNotFound(f"the lake has no version of a model {registry['model']!r}: publish one first")


def holder(registry: Mapping[str, Any], alias: str) -> int | None:
    """Return the version that an alias names; None where it names none."""
    found = registry["aliases"].get(alias)
    return None if found is None else int(found)
