"""The fields of a project, and making one."""

from __future__ import annotations

import json
from typing import Any

from headrace.testing.wandb.artifacts import Artifact, Collection, Membership
from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.ids import encode_id
from headrace.testing.wandb.refusal import Refusal, Violation
from headrace.testing.wandb.runs import Project

fields = Fields()


@fields("Mutation.upsertModel")
def upsert_model(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    inserted = context.store.project(given.get("entityName"), given.get("name")) is None
    project = context.store.make_project(given.get("entityName"), given.get("name"))
    project.description = given.get("description", project.description)
    project.access = given.get("access", project.access)
    return {"project": project, "model": project, "inserted": inserted}


@fields("Project.internalId")
def internal_id(project: Project, context: Context, arguments: Arguments) -> str:
    return encode_id("ProjectInternalId", project.number)


@fields("Project.entity", "Project.entityName")
def project_entity(project: Project, context: Context, arguments: Arguments) -> str:
    return project.entity


@fields("Project.readOnly", "Project.isBenchmark", "Run.readOnly")
def no(_: Any, context: Context, arguments: Arguments) -> bool:
    return False


@fields("Project.allowAllArtifactTypesInRegistry")
def yes(_: Any, context: Context, arguments: Arguments) -> bool:
    return True


@fields("Project.updatedAt", "Project.views", "Run.sweepName")
def nothing(_: Any, context: Context, arguments: Arguments) -> None:
    return None


@fields("Project.artifactType")
def artifact_type(project: Project, context: Context, arguments: Arguments) -> dict[str, Any] | None:
    types = {collection.type_name for collection in project.collections.values()}
    return type_of(project, arguments["name"]) if arguments["name"] in types else None


@fields("Project.artifactTypes")
def artifact_types(project: Project, context: Context, arguments: Arguments) -> dict[str, Any]:
    names = sorted({collection.type_name for collection in project.collections.values()})
    return paged([type_of(project, name) for name in names], arguments)


def type_of(project: Project, name: str) -> dict[str, Any]:
    """Return an artifact type of a project, with the project for the fields below it."""
    return {
        "project": project,
        "name": name,
        "id": encode_id(f"ArtifactType:{name}", project.number),
        "description": None,
        "createdAt": project.created_at,
    }


@fields("ArtifactType.artifactCollection")
def typed_collection(parent: dict[str, Any], context: Context, arguments: Arguments) -> Collection | None:
    found: Collection | None = parent["project"].collections.get(arguments["name"])
    return found if found is not None and found.type_name == parent["name"] else None


@fields("ArtifactType.artifactCollections")
def typed_collections(parent: dict[str, Any], context: Context, arguments: Arguments) -> dict[str, Any]:
    if arguments.get("order") is not None or json.loads(arguments.get("filters") or "{}"):
        raise Violation(400, "the stand-in neither orders nor filters collections")
    collections = parent["project"].collections.values()
    return paged([found for found in collections if found.type_name == parent["name"]], arguments)


@fields("Project.artifactCollection")
def artifact_collection(project: Project, context: Context, arguments: Arguments) -> Collection | None:
    return project.collections.get(arguments["name"])


@fields("Project.artifactCollectionMembership")
def artifact_membership(project: Project, context: Context, arguments: Arguments) -> Membership | None:
    """Return the version under `name:alias`; W&B refuses a name without an alias."""
    name, colon, alias = arguments["name"].partition(":")
    if not colon:
        raise Refusal(400, f"artifact name {name!r} lacks an alias: write {name}:latest")
    collection = project.collections.get(name)
    return None if collection is None else collection.find(alias)


@fields("Project.artifact")
def artifact(project: Project, context: Context, arguments: Arguments) -> Artifact | None:
    membership = artifact_membership(project, context, arguments)
    return None if membership is None else membership.artifact
