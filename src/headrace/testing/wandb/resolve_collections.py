"""Collections: aliases of the versions in them, and links into portfolios and registries."""

from __future__ import annotations

import json
import re
from typing import Any

from headrace.testing.wandb.artifacts import Artifact, Collection, Membership
from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.refusal import Refusal, Violation, not_found
from headrace.testing.wandb.resolve_projects import type_of

fields = Fields()

VERSION_ALIAS = re.compile(r"v\d+")


# --- changing them --------------------------------------------------------------------------------


@fields("Mutation.addAliases")
def add_aliases(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    for version, alias in _addressed(context, arguments["input"]):
        version.collection.place(_checked(alias), version)
    return {"success": True}


@fields("Mutation.deleteAliases")
def delete_aliases(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    for version, alias in _addressed(context, arguments["input"]):
        version.aliases.discard(_checked(alias))
    return {"success": True}


def _addressed(context: Context, given: dict[str, Any]) -> list[tuple[Membership, str]]:
    """Return the version of the artifact in each named collection, with the alias meant for it."""
    artifact = context.store.find_artifact(given["artifactID"])
    found = []
    for wanted in given["aliases"]:
        path = "/".join(wanted[part] for part in ("entityName", "projectName", "artifactCollectionName"))
        version = next((m for m in artifact.memberships if m.collection.path == path), None)
        if version is None:
            raise not_found(f"{artifact.name} in the collection {path}")
        found.append((version, wanted["alias"]))
    return found


def _checked(alias: str) -> str:
    if VERSION_ALIAS.fullmatch(alias) or "/" in alias or ":" in alias:
        raise Refusal(400, f"{alias!r} cannot be an alias")
    return alias


@fields("Mutation.linkArtifact")
def link_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Add a committed version to a portfolio, which is made where it is new; a registry must exist."""
    given, store = arguments["input"], context.store
    artifact = _linked(context, given)
    entity, project_name = given.get("entityName"), given.get("projectName")
    project = store.project(entity, project_name)
    if project is None and (project_name or "").startswith("wandb-registry-"):
        raise not_found(f"registry {entity}/{project_name}")
    project = project or store.make_project(entity, project_name)
    name = given.get("artifactPortfolioName")
    if not name:
        raise Refusal(400, "linkArtifact needs the name of a portfolio")
    portfolio = store.make_collection(project, name, artifact.type_name, is_portfolio=True)
    if not portfolio.is_portfolio or portfolio.type_name != artifact.type_name:
        kind = "portfolio" if portfolio.is_portfolio else "sequence"
        raise Refusal(400, f"{portfolio.path} is a {kind} of {portfolio.type_name}: it takes no such link")
    version = store.add_version(portfolio, artifact)
    for wanted in given.get("aliases") or []:
        portfolio.place(_checked(wanted["alias"]), version)
    return {"versionIndex": version.version_index, "artifactMembership": version}


def _linked(context: Context, given: dict[str, Any]) -> Artifact:
    if given.get("artifactID"):
        artifact = context.store.find_artifact(given["artifactID"])
    else:
        known = {artifact.client_id: artifact for artifact in context.store.artifacts.values()}
        if given.get("clientID") not in known:
            raise not_found(f"the artifact that the client calls {given.get('clientID')}")
        artifact = known[given["clientID"]]
    if artifact.state != "COMMITTED":
        raise Refusal(400, f"{artifact.sequence.name} is not committed: it cannot be linked")
    return artifact


@fields("Mutation.unlinkArtifact")
def unlink_artifact(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    artifact = context.store.find_artifact(given["artifactID"])
    for version in artifact.memberships:
        if version.collection.id == given["artifactPortfolioID"] and version.collection.is_portfolio:
            version.collection.versions.remove(version)
            artifact.memberships.remove(version)
            return {"success": True}
    raise not_found(f"a link of {artifact.name} there")


# --- reading them ---------------------------------------------------------------------------------


@fields("Query.artifactCollection")
def artifact_collection(_: Any, context: Context, arguments: Arguments) -> Collection | None:
    return context.store.collections.get(arguments["id"])


@fields("ArtifactSequence.artifactMembership", "ArtifactPortfolio.artifactMembership")
def membership_by_alias(collection: Collection, context: Context, arguments: Arguments) -> Membership | None:
    return collection.find(arguments["aliasName"])


@fields("ArtifactSequence.artifacts", "ArtifactPortfolio.artifacts")
def artifacts(collection: Collection, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return the versions, the newest first."""
    filters = json.loads(arguments.get("filters") or "{}")
    if filters not in ({}, {"state": "COMMITTED"}) or arguments.get("order") is not None:
        raise Violation(400, f"the stand-in cannot order artifacts, nor filter them by {filters}")
    newest_first = collection.versions[::-1]
    page = paged([version.artifact for version in newest_first], arguments)
    by_artifact = {version.artifact: version for version in newest_first}
    for edge in page["edges"]:
        edge["version"] = f"v{by_artifact[edge['node']].version_index}"
    return page


@fields("ArtifactSequence.latestArtifact")
def latest_artifact(collection: Collection, context: Context, arguments: Arguments) -> Artifact | None:
    found = collection.find("latest")
    return None if found is None else found.artifact


@fields("ArtifactSequence.defaultArtifactType", "ArtifactPortfolio.defaultArtifactType")
def default_artifact_type(collection: Collection, context: Context, arguments: Arguments) -> dict[str, Any]:
    return type_of(collection.project, collection.type_name)


@fields("ArtifactSequence.aliases", "ArtifactPortfolio.aliases")
def collection_aliases(collection: Collection, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged([alias for version in collection.versions for alias in _aliases(version)], arguments)


@fields("ArtifactSequence.state", "ArtifactPortfolio.state")
def state(collection: Collection, context: Context, arguments: Arguments) -> str:
    return "READY"


@fields("ArtifactSequence.tags", "ArtifactPortfolio.tags")
def tags(collection: Collection, context: Context, arguments: Arguments) -> dict[str, Any]:
    return {"edges": []}


@fields("ArtifactSequence.updatedAt", "ArtifactPortfolio.updatedAt")
def updated_at(collection: Collection, context: Context, arguments: Arguments) -> None:
    return None


@fields("ArtifactCollectionMembership.artifactCollection")
def collection_of_membership(version: Membership, context: Context, arguments: Arguments) -> Collection:
    return version.collection


@fields("ArtifactCollectionMembership.aliases")
def membership_aliases(version: Membership, context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    return _aliases(version)


@fields("Artifact.aliases")
def artifact_aliases(artifact: Artifact, context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    return [alias for version in artifact.memberships for alias in _aliases(version)]


def _aliases(version: Membership) -> list[dict[str, Any]]:
    """Return the aliases of a version in its collection; its index is one of them, as at W&B."""
    names = [*sorted(version.aliases), f"v{version.version_index}"]
    return [
        {"id": f"{version.id}:{name}", "alias": name, "artifactCollection": version.collection}
        for name in names
    ]
