"""From data to models: which runs read it or made it, and which versions came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.commands.lineage_records import Records, resolve
from headrace.commands.screen import Answer, Screen
from headrace.core.record import RunRecord
from headrace.errors import LakeError, RunNotFound, did_you_mean

SCHEMES = ("package:", "file:", "lake:", "sha256:")
SHORTEST_DIGEST = len("sha256:") + 8
_ARTIFACT = "lake://"

Models = Mapping[str, Mapping[str, Any]]
"""Registries by the name of their model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Data that is looked for: by URI, by digest (or its beginning), or by a commit of the lake."""

    uri: str
    digest: str | None = None
    commit: str | None = None

    def is_of(self, record: RunRecord) -> bool:
        """Tell whether a run read this, or made it."""
        return self._uri(record) or self._digest(record) or self._commit(record)

    def _uri(self, record: RunRecord) -> bool:
        scheme, _, name = self.uri.partition(":")
        for stage in record.stages:
            for source in stage.sources.values():
                is_same_scheme = source["uri"].startswith(f"{scheme}:")
                if self.uri == source["uri"] or (is_same_scheme and name in (source.get("files") or {})):
                    return True
            if any(f"{made.uri}/".startswith(f"{self.uri}/") for made in stage.outputs.values()):
                return True
        return False

    def _digest(self, record: RunRecord) -> bool:
        if self.digest is None:
            return False
        known: set[str] = set()
        for stage in record.stages:
            known.update(stage.inputs.values())
            known.update(artifact.digest for artifact in stage.outputs.values())
            for source in stage.sources.values():
                known.update((source.get("files") or {}).values())
        return any(digest.startswith(self.digest) for digest in known)

    def _commit(self, record: RunRecord) -> bool:
        if self.commit is None:
            return False
        sources = [source["uri"] for stage in record.stages for source in stage.sources.values()]
        reads = any(uri.startswith("lake:") for uri in sources) and record.source.get("commit") == self.commit
        published = (record.published or {}).get("commit") == self.commit
        made = (artifact.commit for stage in record.stages for artifact in stage.outputs.values())
        return reads or published or self.commit in made


def of_data(records: Records, models: Models, what: str) -> Answer:
    """Find the runs that read or made some data, and the versions that came of them. Raises `RunNotFound`."""
    wanted = _parse(records, what)
    found: list[dict[str, Any]] = []
    known = set(models)
    for record in records.all():
        known.update(source["uri"] for stage in record.stages for source in stage.sources.values())
        if wanted.is_of(record):
            found += _versions(record, models)
    if not found:
        scheme = what.startswith(SCHEMES)
        name = what if scheme else what.partition(":")[0].partition("@")[0]
        hint = did_you_mean(name, known)
        kind = "data" if scheme else "a model, data or a commit of the lake"
        raise RunNotFound(f"no run read or made {what!r}, if that is {kind}; {hint}")
    found.sort(key=lambda one: (one["model"] is None, one["model"] or "", one["version"] or 0))
    return Answer(found, lambda screen: _lines(screen, found))


def _parse(records: Records, what: str) -> Wanted:
    if what.startswith("sha256:"):
        return Wanted(uri=what, digest=what if len(what) >= SHORTEST_DIGEST else None)
    if what.startswith(_ARTIFACT):
        ref, _, path = what.removeprefix(_ARTIFACT).partition("/")
        commit = resolve(records.lake, ref)
        if commit is None:
            return Wanted(uri=what)
        path = path.rstrip("/")
        try:
            digest = records.lake.stat(commit, path).digest
        except LakeError:  # a folder, or gone: its URI is still in the records
            digest = None
        return Wanted(uri=f"{_ARTIFACT}{commit}/{path}", digest=digest)
    if what.startswith(SCHEMES):
        return Wanted(uri=what)
    return Wanted(uri=what, commit=resolve(records.lake, what))


def _versions(record: RunRecord, models: Models) -> list[dict[str, Any]]:
    """Return a line for each version that a run made or published; one without where there is none."""
    published = record.published or record.already or {}
    names = {
        (name, version["version"])
        for name, registry in models.items()
        for version in registry["versions"]
        if version["run"] == record.id
        or (published.get("model"), published.get("version")) == (name, version["version"])
    }
    about = {"run": record.id, "experiment": record.experiment, "state": record.state}
    found: Sequence[tuple[str | None, int | None]] = sorted(names) or [(None, None)]
    return [{"model": model, "version": version, **about} for model, version in found]


def _lines(screen: Screen, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in found:
        if one["model"] is None:
            about = f"{one['run']}  {one['experiment']}"
            yield screen.fit("no version  by run ", about, f"  ({one['state']})")
        else:
            yield screen.fit("", f"{one['model']} version {one['version']}", f"  by run {one['run']}")
