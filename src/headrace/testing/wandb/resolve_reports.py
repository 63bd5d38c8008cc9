"""Reports and the tokens of their share links."""

from __future__ import annotations

import json
import secrets
from typing import Any

from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.ids import now
from headrace.testing.wandb.refusal import Refusal, Violation, not_found
from headrace.testing.wandb.reports import AccessToken, View
from headrace.testing.wandb.runs import Project

fields = Fields()

TITLE_AT_MOST = 128


@fields("Query.view")
def view(_: Any, context: Context, arguments: Arguments) -> View | None:
    return context.store.views.get(arguments["id"])


@fields("Project.allViews")
def all_views(project: Project, context: Context, arguments: Arguments) -> dict[str, Any]:
    if arguments.get("viewName") is not None:
        raise Violation(400, "the stand-in does not know whether viewName is the title of a report")
    kind = arguments.get("viewType") or "runs"
    found = [view for view in context.store.views.values() if view.project is project and view.type == kind]
    return paged(found, arguments)


@fields("Mutation.upsertView")
def upsert_view(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Save a report: a new one without an id, else the one with it. Its project must exist."""
    given, store = arguments["input"], context.store
    if len(given.get("displayName") or "") > TITLE_AT_MOST:
        raise Refusal(400, f"the title of a report has at most {TITLE_AT_MOST} characters")
    if given.get("spec") is not None:
        json.loads(given["spec"])
    found = store.views.get(given["id"]) if given.get("id") else None
    if given.get("id") and found is None:
        raise not_found(f"report with the id {given['id']}")
    inserted = found is None
    if found is None:
        found = View(
            number=store.next_number(),
            project=_project(context, given),
            name=given["name"],
            type=given["type"],
            spec=given["spec"],
        )
        store.views[found.id] = found
    found.type = given.get("type") or found.type
    found.spec = given.get("spec") or found.spec
    found.display_name = given.get("displayName") or found.display_name
    found.description = given.get("description") or ""
    found.updated_at = now()
    found.saves += 1
    return {"view": found, "inserted": inserted}


@fields("Mutation.deleteView")
def delete_view(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    if context.store.views.pop(given["id"], None) is None:
        raise not_found(f"report with the id {given['id']}")
    return {"success": True, "pendingDrafts": []}


@fields("Mutation.createAccessToken")
def create_access_token(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    if given["viewId"] not in context.store.views:
        raise not_found(f"report with the id {given['viewId']}")
    projects = [_project(context, project) for project in given["projects"]]
    token = AccessToken(token=secrets.token_hex(32), projects=projects)
    context.store.views[given["viewId"]].access_tokens.append(token)
    return {"accessToken": token}


@fields("Mutation.updateAccessTokenProjects")
def update_access_token_projects(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    token = _token(context, given["token"])
    token.projects = [_project(context, project) for project in given["projects"]]
    return {"success": True}


@fields("Mutation.revokeAccessToken")
def revoke_access_token(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    _token(context, arguments["input"]["token"]).revoked_at = now()
    return {"success": True}


def _token(context: Context, wanted: str) -> AccessToken:
    for found in context.store.views.values():
        for token in found.access_tokens:
            if token.token == wanted and token.revoked_at is None:
                return token
    raise not_found("an active token like this")


def _project(context: Context, given: dict[str, Any]) -> Project:
    project = context.store.project(given["entityName"], given["projectName"])
    if project is None:
        raise not_found(f"project {given['entityName']}/{given['projectName']}")
    return project
