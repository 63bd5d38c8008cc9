"""The model of artifacts: versions, the collections that hold them, their aliases and manifests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.testing.wandb.ids import encode_id, now

if TYPE_CHECKING:
    from headrace.testing.wandb.runs import Project, Run
    from headrace.testing.wandb.storage import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A path of a committed artifact. `ref` is the URI of a reference, whose digest the client chose."""

    path: str
    digest: str
    size: int | None
    ref: str | None
    birth_artifact_id: str | None
    extra: dict[str, Any]


@dataclass(eq=False, slots=True, kw_only=True)
class Manifest:
    """The list of an artifact's paths: declared by a mutation, and uploaded as a file of its own."""

    artifact: Artifact
    number: int
    name: str
    digest: str
    file: StoredFile | None = None

    @property
    def id(self) -> str:
        return encode_id("ArtifactManifest", self.number)


@dataclass(eq=False, slots=True, kw_only=True)
class Artifact:
    """One version: PENDING until its commit, which fills `entries`. `files` holds what arrived, by path."""

    number: int
    type_name: str
    digest: str
    sequence: Collection
    run: Run | None = None
    client_id: str | None = None
    state: str = "PENDING"
    version_index: int | None = None
    aliases_at_commit: list[tuple[str, str]] = field(default_factory=list)
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    ttl_duration_seconds: int | None = None
    history_step: int | None = None
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    manifest: Manifest | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    memberships: list[Membership] = field(default_factory=list)
    used_by: list[Run] = field(default_factory=list)

    @property
    def id(self) -> str:
        return encode_id("Artifact", self.number)

    @property
    def name(self) -> str:
        return f"{self.sequence.name}:v{self.version_index}"

    @property
    def aliases(self) -> set[str]:
        """Its aliases in the collection that it was logged to; a link has its own."""
        return set().union(*(m.aliases for m in self.memberships if m.collection is self.sequence))

    @property
    def links(self) -> dict[str, set[str]]:
        """Aliases by `entity/project/collection` of every collection that it is linked to."""
        linked = [m for m in self.memberships if m.collection is not self.sequence]
        return {m.collection.path: set(m.aliases) for m in linked}


@dataclass(eq=False, slots=True, kw_only=True)
class Membership:
    """A version in a collection, with its index and aliases there."""

    collection: Collection
    artifact: Artifact
    number: int
    version_index: int
    aliases: set[str] = field(default_factory=set)
    created_at: str = field(default_factory=now)

    @property
    def id(self) -> str:
        return encode_id("ArtifactCollectionMembership", self.number)


@dataclass(eq=False, slots=True, kw_only=True)
class Collection:
    """The versions under one name: a sequence, which runs log to, or a portfolio, which holds links."""

    project: Project
    name: str
    number: int
    type_name: str
    is_portfolio: bool
    client_id: str | None = None
    description: str | None = None
    created_at: str = field(default_factory=now)
    versions: list[Membership] = field(default_factory=list)
    next_index: int = 0

    @property
    def id(self) -> str:
        return encode_id("ArtifactCollection", self.number)

    @property
    def path(self) -> str:
        return f"{self.project.entity}/{self.project.name}/{self.name}"

    def find(self, alias: str) -> Membership | None:
        """Return the version with an alias, or `v3` by its index here."""
        for version in self.versions:
            if alias in version.aliases or alias == f"v{version.version_index}":
                return version
        return None

    def place(self, alias: str, version: Membership) -> None:
        """Give an alias to one version, and take it from the one that had it."""
        for other in self.versions:
            other.aliases.discard(alias)
        version.aliases.add(alias)

    def add(self, artifact: Artifact, number: int) -> Membership:
        """Add a version at the next index, and let `latest` point to it; what is there already stays."""
        for version in self.versions:
            if version.artifact is artifact:
                return version
        version = Membership(collection=self, artifact=artifact, number=number, version_index=self.next_index)
        self.next_index += 1
        self.versions.append(version)
        artifact.memberships.append(version)
        self.place("latest", version)
        return version
