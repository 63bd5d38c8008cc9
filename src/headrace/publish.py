"""Publish: the merge of a run into `main`, the model's new version and its alias, as one step.

A model's registry is one object on `main`, `models/<name>/registry.json`, so promotion is a commit:
atomic, with history, and two that race meet in a merge conflict that the second one resolves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.digest import digest_bytes
from headrace.core.package import VERSION
from headrace.core.ports import MAIN, LakeStore, ObjectInfo
from headrace.core.record import branch_of
from headrace.core.spec import PublishSpec
from headrace.errors import LakeBusy, MergeConflict, NoChanges
from headrace.registry import (
    ANY,
    FORMAT,
    Move,
    find_tag,
    find_version,
    read_registry,
    registry_path,
    require_holder,
    tag_name,
    tag_version,
)

_TRIES = 20
_LOOK_BACK = 1000  # commits of `main` among which the one that published a version is looked for
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")  # what follows in `birds-v2`; not in `birds-v2-old`


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What publishing came to: a version that is new, or one that was there; never both."""

    new: dict[str, Any] | None = None  # commit, model, version, alias
    already: dict[str, Any] | None = None  # the same, and `alias_version`: what the alias names


def publish_run(
    lake: LakeStore,
    run_id: str,
    spec: PublishSpec,
    package: Artifact,
    figures: Mapping[str, float],
    record_json: bytes,
    metadata: Mapping[str, str],
    read: Mapping[str, int | None] | None = None,
    move: Move | None = None,
    expect: int | None = ANY,
    beside: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Merge the run's branch into `main` with the package as a new version behind the alias.

    The registry keeps with the version which models it was compared with: `read`, versions by URI; and
    in its history what `move` says of the alias. `expect` is the version that the alias must still name.
    Files `beside` the package say where it comes from, by their names.

    Where the package is a version already, `main` and the alias stay as they are: somebody may have
    moved the alias since, and the same result is no reason to move it back. Raises `MergeConflict`
    where `main` changed something that the run changed too; the branch is left as it is. Raises
    `AliasMoved` where the alias names another version than expected.
    """
    branch = branch_of(run_id)
    move = move or Move(alias=spec.alias, why="publish", run=run_id)
    registry = read_registry(lake, MAIN, spec.model)
    for _ in range(_TRIES):
        if find_version(registry, package.digest) is None:
            _catch_up(lake, branch, spec)
            registry = read_registry(lake, MAIN, spec.model)
        if found := find_version(registry, package.digest):
            return Outcome(already=_recognise(lake, spec, registry, found))
        require_holder(registry, spec.alias, expect)
        version = _next_version(lake, registry, spec.model)
        _add_version(registry, version, run_id, spec, package, figures, read or {})
        move.apply(registry, version)
        _stage(lake, branch, run_id, spec, version, package, registry, record_json, beside or {})
        message = f"publish {spec.model} version {version} from run {run_id}"
        lake.commit(branch, message, {"run": run_id, **metadata}, allow_empty=True)
        try:
            merged = lake.merge(branch, MAIN, message, {"run": run_id, "model": spec.model, **metadata})
        except MergeConflict as conflict:
            # Another run published this model meanwhile: number the version anew on the new head.
            if not _is_ours_to_rewrite(conflict, spec):
                raise
            registry = read_registry(lake, MAIN, spec.model)
            continue
        tag_version(lake, tag_name(spec.model, version), merged.id)
        return Outcome(new=_told(spec, merged.id, version))
    raise LakeBusy(f"other runs publish {spec.model} without pause; the same command tries again")


def _told(spec: PublishSpec, commit: str, version: int) -> dict[str, Any]:
    return {"commit": commit, "model": spec.model, "version": version, "alias": spec.alias}


def _recognise(
    lake: LakeStore, spec: PublishSpec, registry: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, Any]:
    """Tell of a version that is there."""
    told = _told(spec, find_published(lake, spec.model, found), int(found["version"]))
    return {**told, "alias_version": registry["aliases"].get(spec.alias)}


def find_published(lake: LakeStore, model: str, found: Mapping[str, Any]) -> str:
    """Return the commit that published a version; where its run was killed before it was tagged, tag it."""
    name = tag_name(model, found["version"])
    commit = find_tag(lake, name)
    if commit is None:
        marks = {"run": found["run"], "model": model}.items()
        history = lake.log(MAIN, _LOOK_BACK, first_parent=True)
        commit = next((c.id for c in history if marks <= c.metadata.items()), history[0].id)
        tag_version(lake, name, commit)
    return commit


def _catch_up(lake: LakeStore, branch: str, spec: PublishSpec) -> None:
    message = f"bring {branch} up to {MAIN}"
    try:
        lake.merge(MAIN, branch, message)
    except NoChanges:
        return
    except MergeConflict as conflict:
        if not _is_ours_to_rewrite(conflict, spec):
            raise
        lake.merge(MAIN, branch, message, strategy="source-wins")
        # Files of the number that another run got first, and which its version does not have.
        ours = lake.diff(MAIN, branch, prefix=f"models/{spec.model}/")
        lake.delete(branch, [change.path for change in ours if change.kind == "added"])


def _is_ours_to_rewrite(conflict: MergeConflict, spec: PublishSpec) -> bool:
    return all(path.startswith(f"models/{spec.model}/") for path in conflict.paths)


def _add_version(
    registry: dict[str, Any],
    version: int,
    run_id: str,
    spec: PublishSpec,
    package: Artifact,
    figures: Mapping[str, float],
    read: Mapping[str, int | None],
) -> None:
    entry = {
        "version": version,
        "run": run_id,
        "digest": package.digest,
        "bytes": package.bytes,
        "codec": package.codec,
        "uri": package.uri,
        "metrics": dict(figures),
        "read": dict(read),
    }
    registry["versions"].append(entry)


def _next_version(lake: LakeStore, registry: Mapping[str, Any], model: str) -> int:
    """Return a number that no version has, nor had: a publish that was undone leaves its tag."""
    start = tag_name(model, "")
    tagged = [found.name.removeprefix(start) for found in lake.tags(start)]
    spent = [int(number) for number in tagged if _NUMBER.fullmatch(number)]
    return 1 + max([*spent, *(v["version"] for v in registry["versions"])], default=0)


def _stage(
    lake: LakeStore,
    branch: str,
    run_id: str,
    spec: PublishSpec,
    version: int,
    package: Artifact,
    registry: Mapping[str, Any],
    record_json: bytes,
    beside: Mapping[str, bytes],
) -> None:
    folder = f"models/{spec.model}/{version}"
    # The package may stand on another run's branch, which will be collected one day: link it.
    prefix = f"{package.path}/"
    below = [i for i in lake.list(package.commit, prefix=prefix) if isinstance(i, ObjectInfo)]
    digests: dict[str, str] = {}
    for info in below or [lake.stat(package.commit, package.path)]:
        name = info.path.removeprefix(prefix) if below else package.path.rpartition("/")[2]
        digests[name] = info.digest
        lake.link(branch, f"{folder}/{name}", package.commit, info.path)
    for name, data in beside.items():
        digests[name] = digest_bytes(data)
        lake.put(branch, f"{folder}/{name}", data)
    about = {
        "format": FORMAT,
        "model": spec.model,
        "version": version,
        "run": run_id,
        "digest": package.digest,
        "files": digests,
    }
    lake.put(branch, f"{folder}/{VERSION}", json.dumps(about, indent=1).encode())
    lake.put(branch, registry_path(spec.model), json.dumps(registry, indent=1).encode())
    lake.put(branch, f"runs/{run_id}/run.json", record_json)
