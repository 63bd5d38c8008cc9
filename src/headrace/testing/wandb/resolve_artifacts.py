"""Artifacts: creating, committing and using versions, and what they hold."""

from __future__ import annotations

import json
from typing import Any

from headrace.testing.wandb.artifacts import Artifact, Collection, Manifest
from headrace.testing.wandb.commit import commit
from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.ids import now
from headrace.testing.wandb.refusal import Refusal, not_found
from headrace.testing.wandb.resolve_projects import type_of

fields = Fields()


@fields("Mutation.createArtifact")
def create_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Create a pending version, or return the one there is: with this client id, or with this digest."""
    given, store = arguments["input"], context.store
    sequence = _sequence(context, given)
    aliases = [(alias["artifactCollectionName"], alias["alias"]) for alias in given.get("aliases") or []]
    for artifact in store.artifacts.values():
        if artifact.sequence is sequence and _is_same(artifact, given):
            if artifact.state == "COMMITTED":
                _add_aliases(artifact, aliases)
            return {"artifact": artifact}
    run = None
    if given.get("runName"):
        run = store.find_run(given["entityName"], given["projectName"], given["runName"])
    artifact = Artifact(
        number=store.next_number(),
        type_name=given["artifactTypeName"],
        digest=given["digest"],
        sequence=sequence,
        run=run,
        client_id=given.get("clientID"),
        aliases_at_commit=aliases,
        description=given.get("description"),
        metadata=json.loads(given.get("metadata") or "{}") or {},
        tags=[tag["tagName"] for tag in given.get("tags") or []],
        ttl_duration_seconds=given.get("ttlDurationSeconds"),
        history_step=given.get("historyStep"),
    )
    store.artifacts[artifact.id] = artifact
    if run is not None:
        run.logged.append(artifact)
    return {"artifact": artifact}


def _sequence(context: Context, given: dict[str, Any]) -> Collection:
    names = given.get("artifactCollectionNames") or [given.get("artifactCollectionName")]
    if len(names) != 1 or not names[0]:
        raise Refusal(400, f"an artifact is logged to one collection, not to {names}")
    if given.get("digestAlgorithm") not in (None, "MANIFEST_MD5"):
        raise Refusal(400, f"the stand-in checks MD5, not {given['digestAlgorithm']}")
    project = context.store.make_project(given["entityName"], given["projectName"])
    type_name = given["artifactTypeName"]
    sequence = context.store.make_collection(project, names[0], type_name, is_portfolio=False)
    if sequence.type_name != type_name or sequence.is_portfolio:
        raise Refusal(400, f"the collection {names[0]} holds the type {sequence.type_name}, not {type_name}")
    sequence.client_id = sequence.client_id or given.get("sequenceClientID")
    return sequence


def _is_same(artifact: Artifact, given: dict[str, Any]) -> bool:
    if artifact.client_id is not None and artifact.client_id == given.get("clientID"):
        return True  # the same request once more: its first answer was lost
    same_content = artifact.state == "COMMITTED" and artifact.digest == given["digest"]
    return bool(given.get("enableDigestDeduplication")) and same_content


def _add_aliases(artifact: Artifact, aliases: list[tuple[str, str]]) -> None:
    for version in artifact.memberships:
        for collection, alias in aliases:
            if collection == version.collection.name and version.collection is artifact.sequence:
                version.collection.place(alias, version)


@fields("Mutation.createArtifactManifest")
def create_artifact_manifest(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given, store = arguments["input"], context.store
    artifact = store.find_artifact(given["artifactID"])
    if given.get("type") not in (None, "FULL"):
        raise Refusal(400, f"the stand-in takes full manifests, not {given['type']}")
    manifest = Manifest(
        artifact=artifact, number=store.next_number(), name=given["name"], digest=given["digest"]
    )
    store.manifests[manifest.id] = artifact.manifest = manifest
    return {"artifactManifest": manifest}


@fields("Mutation.updateArtifactManifest")
def update_artifact_manifest(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    manifest = context.store.manifests.get(given["artifactManifestID"])
    if manifest is None:
        raise not_found(f"manifest with the id {given['artifactManifestID']}")
    if given.get("digest"):
        manifest.digest = given["digest"]
        manifest.file = None
    return {"artifactManifest": manifest}


@fields("Mutation.commitArtifact")
def commit_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    artifact = context.store.find_artifact(arguments["input"]["artifactID"])
    commit(artifact, context.store)
    return {"artifact": artifact}


@fields("Mutation.updateArtifact")
def update_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    artifact = context.store.find_artifact(given["artifactID"])
    if given.get("description") is not None:
        artifact.description = given["description"]
    if given.get("metadata") is not None:
        artifact.metadata = json.loads(given["metadata"])
    removed = {tag["tagName"] for tag in given.get("tagsToDelete") or []}
    added = [tag["tagName"] for tag in given.get("tagsToAdd") or []]
    artifact.tags = [tag for tag in dict.fromkeys([*artifact.tags, *added]) if tag not in removed]
    artifact.updated_at = now()
    return {"artifact": artifact}


@fields("Mutation.useArtifact")
def use_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given, store = arguments["input"], context.store
    run = store.find_run(given["entityName"], given["projectName"], given["runName"])
    artifact = store.find_artifact(given["artifactID"])
    if artifact.state != "COMMITTED":
        raise Refusal(400, f"{artifact.sequence.name} is not committed: no run can use it")
    if artifact not in run.used:
        run.used.append(artifact)
        artifact.used_by.append(run)
    return {"artifact": artifact}


@fields("Query.artifact")
def artifact_by_id(_: Any, context: Context, arguments: Arguments) -> Artifact | None:
    return context.store.artifacts.get(arguments["id"])


@fields("Query.clientIDMapping")
def client_id_mapping(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return the id of what a client named before it knew the server's id."""
    wanted = arguments["clientID"]
    named: list[Artifact | Collection] = [*context.store.artifacts.values()]
    named += context.store.collections.values()
    for found in named:
        if found.client_id == wanted:
            return {"serverID": found.id}
    raise not_found(f"what the client calls {wanted}")


@fields("Artifact.artifactSequence")
def artifact_sequence(artifact: Artifact, context: Context, arguments: Arguments) -> Collection:
    return artifact.sequence


@fields("Artifact.artifactType")
def artifact_type(artifact: Artifact, context: Context, arguments: Arguments) -> dict[str, Any]:
    return type_of(artifact.sequence.project, artifact.type_name)


@fields("Artifact.artifactMemberships")
def artifact_memberships(artifact: Artifact, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged(artifact.memberships, arguments)


@fields("Artifact.commitHash")
def commit_hash(artifact: Artifact, context: Context, arguments: Arguments) -> str:
    return artifact.digest


@fields("Artifact.createdBy")
def created_by(artifact: Artifact, context: Context, arguments: Arguments) -> Any:
    return artifact.run


@fields("Artifact.currentManifest")
def current_manifest(artifact: Artifact, context: Context, arguments: Arguments) -> Manifest | None:
    return artifact.manifest


@fields("Artifact.digestAlgorithm", "ArtifactSequence.digestAlgorithm")
def digest_algorithm(_: Any, context: Context, arguments: Arguments) -> str:
    return "MANIFEST_MD5"


@fields("Artifact.fileCount")
def file_count(artifact: Artifact, context: Context, arguments: Arguments) -> int:
    return len(artifact.entries)


@fields("Artifact.size")
def size(artifact: Artifact, context: Context, arguments: Arguments) -> int:
    return sum(entry.size or 0 for entry in artifact.entries.values())


@fields("Artifact.metadata")
def metadata(artifact: Artifact, context: Context, arguments: Arguments) -> str:
    return json.dumps(artifact.metadata)


@fields("Artifact.tags")
def tags(artifact: Artifact, context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    return [{"id": tag, "name": tag} for tag in artifact.tags]


@fields("Artifact.ttlDurationSeconds")
def ttl_duration_seconds(artifact: Artifact, context: Context, arguments: Arguments) -> int:
    """Return 0 for a version that is kept for ever; the client takes no null here."""
    return artifact.ttl_duration_seconds or 0


@fields("Artifact.ttlIsInherited")
def ttl_is_inherited(artifact: Artifact, context: Context, arguments: Arguments) -> bool:
    return artifact.ttl_duration_seconds is None


@fields("Artifact.usedBy")
def used_by(artifact: Artifact, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged(artifact.used_by, arguments)
