"""Save, share and find reports on W&B's server: a program that answers requests, one JSON line each.

The client's imports, prints, retries and settings stay out of the process that asks, which can end this
one when it has waited long enough. The token of a shared link is in one answer and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from headrace.adapters.report_wandb.blocks import make_blocks
from headrace.adapters.report_wandb.document import Document, Place, marker_of
from headrace.adapters.report_wandb.lineage import Artifact, find_artifacts

# The client's own `Api.reports` fetches every report as a whole to list them.
LIST = """
    query ProjectViews($project: String!, $entity: String!, $cursor: String, $limit: Int!) {
        project(name: $project, entityName: $entity) {
            allViews(viewType: "runs", first: $limit, after: $cursor) {
                edges { node { id description createdAt } cursor }
                pageInfo { endCursor hasNextPage }
            }
        }
    }
"""
PAGE = 100
CONNECT_SECONDS = 5.0
TOKEN = re.compile(r"accessToken=[^\s&\"']+|[A-Za-z0-9_-]{32,}")  # what may open something


def save(api: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Save a document as the report that it was before, or as a new one; share it where asked."""
    import wandb_workspaces.reports.v2 as wr

    document = Document.from_json(request["document"])
    entity = request["entity"] or api.default_entity
    places = {
        name: Place(place["entity"] or entity, place["project"], place["id"])
        for name, place in request["places"].items()
    }
    found = _find(api, entity, request["project"], document.name, request["known"])
    report = wr.Report(
        entity=entity, project=request["project"], title=document.title, description=document.description
    )

    def lineage(place: Place) -> list[Artifact]:
        return find_artifacts(api, f"{place.entity}/{place.project}/{place.id}", _app(api))

    report.blocks = make_blocks(list(document.blocks), places, lineage)
    if found is not None:
        _carry_over(api, report, found)
    report.save()
    link = report.enable_share_link() if request["share"] else None
    url = f"{_app(api)}/{urlsplit(report.url).path.lstrip('/')}"  # the client forgets the path of the app
    share = f"{url}?{urlsplit(link).query}" if link else None
    return {"id": report.id, "url": url, "created": found is None, "share": share}


def revoke(api: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Revoke every link of a report; tell whether there is such a report, and whether it had one."""
    import wandb_workspaces.reports.v2 as wr

    entity = request["entity"] or api.default_entity
    found = _find(api, entity, request["project"], request["name"], request["known"])
    if found is None:
        return {"found": False, "revoked": False}
    report = wr.Report(entity=entity, project=request["project"], title="")
    report.id = found
    revoked = report.disable_share_link()
    if report.get_share_url() is not None:  # `False` is said of a failure, and of no link at all
        raise RuntimeError("the server still has a link that is valid; try again")
    return {"found": True, "revoked": revoked}


def _app(api: Any) -> str:
    """Return where W&B shows what it has."""
    from wandb_workspaces._graphql import get_app_url

    return str(get_app_url(api)).rstrip("/")


def _find(api: Any, entity: str, project: str, name: str, known: Mapping[str, str] | None) -> str | None:
    """Return the id of the report: the one that is known, where the server has it, else by its marker."""
    from wandb_workspaces._graphql import execute_graphql

    if known is not None and known["url"].startswith(f"{_app(api)}/{entity}/{project}/"):
        view = _view(api, known["id"])
        if view is not None:
            return str(view["id"])
    cursor, marker = None, marker_of(name)
    matches: list[tuple[str, str]] = []
    while True:
        variables = {"project": project, "entity": entity, "cursor": cursor, "limit": PAGE}
        views = ((execute_graphql(api, LIST, variables).get("project") or {}).get("allViews")) or {}
        nodes = [edge["node"] for edge in views.get("edges", ())]
        matches += [
            (node["createdAt"], node["id"]) for node in nodes if marker in (node["description"] or "").split()
        ]
        if not views.get("pageInfo", {}).get("hasNextPage"):
            return min(matches)[1] if matches else None  # the oldest, to which people have links
        cursor = views["pageInfo"]["endCursor"]


def _view(api: Any, view_id: str) -> dict[str, Any] | None:
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    try:
        found: dict[str, Any] | None = execute_graphql(api, gql.view_report, {"reportId": view_id})["view"]
    except Exception:
        return None  # whatever is wrong, the search that follows says so
    return found


def _carry_over(api: Any, report: Any, view_id: str) -> None:
    """Let a report be saved over one that is there, of which people's comments and authors stay."""
    report.id = view_id
    view = _view(api, view_id)
    spec = json.loads(view["spec"]) if view and isinstance(view.get("spec"), str) else {}
    report._discussion_threads = spec.get("discussionThreads") or []
    report._authors = spec.get("authors") or []


def open_api(timeout: int) -> Any:
    """Open the client. Raises `ConnectionError` at once where nobody listens: it would try for long."""
    import wandb

    address = urlsplit(wandb.setup().settings.base_url)
    proxies, host = getproxies(), address.hostname or ""
    if proxies.keys().isdisjoint({address.scheme, "all"}) or proxy_bypass(host):
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            raise ConnectionError(f"{host} cannot be reached: {error}") from error
    return wandb.Api(timeout=timeout)


REQUESTS: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {"save": save, "revoke": revoke}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    warnings.simplefilter("ignore")
    api = None
    for line in sys.stdin:
        try:
            request = json.loads(line)
            api = api or open_api(request["timeout"])
            answer: dict[str, Any] = {"answer": REQUESTS[request["ask"]](api, request)}
        except Exception as error:
            first = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
            answer = {"error": TOKEN.sub("…", first)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
