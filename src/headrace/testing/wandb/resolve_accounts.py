"""Who asks, which organization and registries they have, and what the server can do."""

from __future__ import annotations

import json
from typing import Any

from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.ids import encode_id
from headrace.testing.wandb.runs import Project

fields = Fields()

FEATURES = (
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER",
    "ARTIFACT_DIGEST_ALGORITHM",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "ARTIFACT_TAGS",
    "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID",
    "CLIENT_IDS",
    "FILESTREAM_GZIP",
    "INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION",
    "LARGE_FILENAMES",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)
"""The features of the service that the stand-in has too; the client asks before it uses one."""


@fields("Query.serverInfo")
def server_info(_: Any, context: Context, arguments: Arguments) -> Any:
    return {"features": [{"name": name, "isEnabled": True} for name in FEATURES]}


@fields("Query.viewer", "Entity.user", "Project.user", "Run.user", "View.user")
def viewer(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    account = context.store.account
    return {
        "admin": False,
        "apiKeys": {"edges": []},
        "deletedAt": None,
        "email": account.email,
        "entity": account.team,
        "flags": json.dumps({}),
        "id": encode_id("User", 1),
        "name": account.username,
        "organizations": [account.organization],
        "photoUrl": None,
        "teams": {"edges": [{"node": name} for name in (account.team, account.username)]},
        "username": account.username,
    }


@fields("Query.entity")
def entity(_: Any, context: Context, arguments: Arguments) -> str | None:
    name = arguments.get("name") or context.store.account.team
    return name if name in context.store.account.entities else None


@fields("Entity.name")
def entity_name(name: str, context: Context, arguments: Arguments) -> str:
    return name


@fields("Entity.id")
def entity_id(name: str, context: Context, arguments: Arguments) -> str:
    return encode_id("Entity", context.store.account.entities.index(name))


@fields("Entity.xxhashDigestsEnabled")
def xxhash_digests_enabled(name: str, context: Context, arguments: Arguments) -> bool:
    """Say no: the stand-in checks MD5 alone."""
    return False


@fields("Entity.organization")
def entity_organization(name: str, context: Context, arguments: Arguments) -> str | None:
    """Return the organization; a user's own entity belongs to none."""
    account = context.store.account
    return None if name == account.username else account.organization


@fields("Entity.project")
def entity_project(name: str, context: Context, arguments: Arguments) -> Project | None:
    return context.store.project(name, arguments["name"])


@fields("Query.organization")
def organization(_: Any, context: Context, arguments: Arguments) -> str | None:
    known = context.store.account.organization
    return known if arguments["name"] == known else None


@fields("Organization.id")
def organization_id(name: str, context: Context, arguments: Arguments) -> str:
    return encode_id("Organization", 1)


@fields("Organization.name")
def organization_name(name: str, context: Context, arguments: Arguments) -> str:
    return name


@fields("Organization.orgEntity")
def org_entity(name: str, context: Context, arguments: Arguments) -> str:
    return context.store.account.organization_entity


@fields("Organization.coreWeaveOrganizationId")
def core_weave_organization_id(name: str, context: Context, arguments: Arguments) -> None:
    return None


@fields("Organization.featureFlags")
def feature_flags(name: str, context: Context, arguments: Arguments) -> list[Any]:
    return []


@fields("Query.project", "Query.model")
def project(_: Any, context: Context, arguments: Arguments) -> Project | None:
    return context.store.project(arguments.get("entityName"), arguments.get("name"))


@fields("Query.models")
def models(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    name = arguments.get("entityName") or context.store.account.team
    found = [project for (entity, _), project in context.store.projects.items() if entity == name]
    return paged(found, arguments)
