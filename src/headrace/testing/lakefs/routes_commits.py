"""Routes: commits, history, diffs, merges and reverts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any

from headrace.testing.lakefs.answer import Answer, json_answer, no_content
from headrace.testing.lakefs.entry import Commit, same
from headrace.testing.lakefs.history import newest_first
from headrace.testing.lakefs.merging import find_base, merge_into, revert
from headrace.testing.lakefs.refs import resolve_commit
from headrace.testing.lakefs.refusal import Refusal, Violation, not_found
from headrace.testing.lakefs.repository import Repository
from headrace.testing.lakefs.routes_repositories import BRANCH, REPOSITORY
from headrace.testing.lakefs.routing import PAGE, TREE_PAGE, Call, route
from headrace.testing.lakefs.shapes import commit_document, difference_document, page_document, walk
from headrace.testing.lakefs.trees import Difference, differences, overlay, preview

MERGE = REPOSITORY + "/refs/{sourceRef}/merge/{destinationBranch}"


@route(
    "POST",
    BRANCH + "/commits",
    "commit",
    query={"source_metarange": str},
    required={"message": str},
    optional={"metadata": dict, "date": int, "allow_empty": bool, "force": bool},
)
def commit(call: Call) -> Answer:
    if "source_metarange" in call.query:
        raise Violation("the stand-in keeps no metaranges to commit from")
    repository, branch, body = call.repository, call.path["branch"], call.body
    if not body["message"]:
        raise Refusal(400, "argument message: required value: validation error")
    with repository.lock:
        repository.branch(branch)
        if repository.changes(branch) or body.get("allow_empty"):
            call.lake.run_hooks("pre-commit", branch)
        made = repository.commit(
            branch,
            body["message"],
            body.get("metadata", {}),
            call.lake.settings.committer,
            allow_empty=body.get("allow_empty", False),
            date=body.get("date"),
        )
    return json_answer(commit_document(made), 201)


@route("GET", REPOSITORY + "/commits/{commitId}", "getCommit")
def get_commit(call: Call) -> Answer:
    repository = call.repository
    try:
        with repository.lock:
            found = repository.commit_of(call.path["commitId"])
    except Refusal as refusal:
        raise not_found("commit") if refusal.status == 404 else refusal from None
    return json_answer(commit_document(found))


@route(
    "GET",
    REPOSITORY + "/refs/{ref}/commits",
    "logCommits",
    query={
        **PAGE,
        "objects": list,
        "prefixes": list,
        "limit": bool,
        "first_parent": bool,
        "since": str,
        "stop_at": str,
    },
)
def log_commits(call: Call) -> Answer:
    repository, query = call.repository, call.query
    since = _read_time(query["since"]) if query.get("since") else None
    with repository.lock:
        stop_at = resolve_commit(repository, query["stop_at"]) if query.get("stop_at") else ""
        start = repository.commit_of(call.path["ref"]).id
        wanted = _path_filter(repository, query.get("objects", []), query.get("prefixes", []))
        found: list[Commit] = []
        skipping = bool(query.get("after"))
        for each in newest_first(repository.commits, start, query.get("first_parent", False)):
            if since is not None and each.creation_date <= since:
                break
            if not skipping and wanted(each):
                found.append(each)
            skipping = skipping and each.id != query["after"]
            if each.id == stop_at or len(found) > call.amount:
                break
    more = len(found) > call.amount and not query.get("limit", False)
    return json_answer(page_document([commit_document(c) for c in found[: call.amount]], more, "id"))


def _path_filter(repository: Repository, objects: list[str], prefixes: list[str]) -> Callable[[Commit], bool]:
    """Keep the commits that changed one of these paths, or any below one of these prefixes."""
    if not objects and not prefixes:
        return lambda _: True

    def touches(each: Commit) -> bool:
        before = repository.commits[each.parents[0]].tree if each.parents else {}
        if any(not same(before.get(path), each.tree.get(path)) for path in objects):
            return True
        found = differences(before, each.tree) if prefixes else []
        return any(difference.path.startswith(tuple(prefixes)) for difference in found)

    return touches


def _read_time(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise Violation(f"query parameter since: {text!r} is not a date-time with a zone")
    return when.timestamp()


@route(
    "GET",
    REPOSITORY + "/refs/{leftRef}/diff/{rightRef}",
    "diffRefs",
    query={**TREE_PAGE, "type": str, "include_right_stats": bool},
)
def diff_refs(call: Call) -> Answer:
    repository, kind = call.repository, call.query.get("type", "three_dot")
    left, right = call.path["leftRef"], call.path["rightRef"]
    if kind not in ("two_dot", "three_dot"):
        raise Violation(f"query parameter type: {kind!r} is not two_dot or three_dot")
    with repository.lock:
        if kind == "two_dot":
            found = differences(repository.commit_of(left).tree, repository.tree(right))
        else:
            theirs, ours, base = find_base(repository, right, left)
            found = preview(ours.tree, theirs.tree, base.tree)
    return json_answer(_diff_page(call, found))


@route("GET", BRANCH + "/diff", "diffBranch", query=TREE_PAGE)
def diff_branch(call: Call) -> Answer:
    repository = call.repository
    with repository.lock:
        branch = repository.branch(call.path["branch"])
        tree = repository.commits[branch.commit].tree
        found = differences(tree, overlay(tree, branch.staging))
    return json_answer(_diff_page(call, found))


def _diff_page(call: Call, found: list[Difference]) -> dict[str, Any]:
    by_path = {difference.path: difference for difference in found}
    order = [difference.path.encode() for difference in found]
    prefix, after = call.query.get("prefix", ""), call.query.get("after", "")
    walked = walk(order, prefix, after, call.query.get("delimiter", ""))
    page = list(islice(walked, call.amount + 1))
    results = [
        {"type": "prefix_changed", "path": path, "path_type": "common_prefix"}
        if common
        else difference_document(by_path[path])
        for path, common in page[: call.amount]
    ]
    return page_document(results, len(page) > call.amount, "path")


@route("GET", MERGE, "findMergeBase")
def find_merge_base(call: Call) -> Answer:
    repository = call.repository
    with repository.lock:
        source, dest, base = find_base(repository, call.path["sourceRef"], call.path["destinationBranch"])
    return json_answer(
        {"source_commit_id": source.id, "destination_commit_id": dest.id, "base_commit_id": base.id}
    )


@route(
    "POST",
    MERGE,
    "mergeIntoBranch",
    optional={
        "message": str,
        "metadata": dict,
        "strategy": str,
        "force": bool,
        "allow_empty": bool,
        "squash_merge": bool,
    },
)
def merge_into_branch(call: Call) -> Answer:
    repository, body = call.repository, call.body
    source, dest = call.path["sourceRef"], call.path["destinationBranch"]
    with repository.lock:
        made = merge_into(
            repository,
            source,
            dest,
            message=body.get("message", ""),
            metadata=body.get("metadata", {}),
            committer=call.lake.settings.committer,
            strategy=body.get("strategy", ""),
            allow_empty=body.get("allow_empty", False) or body.get("force", False),
            squash=body.get("squash_merge", False),
            check=lambda: call.lake.run_hooks("pre-merge", dest),
        )
    return json_answer({"reference": made.id})


@route(
    "POST",
    BRANCH + "/revert",
    "revertBranch",
    required={"ref": str, "parent_number": int},
    optional={"commit_overrides": dict, "force": bool, "allow_empty": bool},
)
def revert_branch(call: Call) -> Answer:
    repository, body = call.repository, call.body
    overrides = body.get("commit_overrides", {})
    with repository.lock:
        revert(
            repository,
            call.path["branch"],
            body["ref"],
            body["parent_number"],
            message=overrides.get("message"),
            metadata=overrides.get("metadata"),
            committer=call.lake.settings.committer,
            allow_empty=body.get("allow_empty", False),
        )
    return no_content()
