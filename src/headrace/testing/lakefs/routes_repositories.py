"""Routes: the server itself, its repositories, their branches and tags."""

from __future__ import annotations

from typing import Any

from headrace.testing.lakefs.answer import Answer, json_answer, no_content
from headrace.testing.lakefs.refusal import Violation
from headrace.testing.lakefs.routing import PREFIX_PAGE, Call, route
from headrace.testing.lakefs.shapes import named_page, ref_document, repository_document

VERSION = {"version": "1.0.0-stand-in"}
REPOSITORY = "/repositories/{repository}"
BRANCH = REPOSITORY + "/branches/{branch}"


def _storage(call: Call) -> dict[str, Any]:
    settings = call.lake.settings
    return {
        "blockstore_type": "local",
        "blockstore_namespace_example": "local://example-bucket/",
        "blockstore_namespace_ValidityRegex": "^local://",
        "default_namespace_prefix": "local://",
        "pre_sign_support": settings.presign,
        "pre_sign_support_ui": False,
        "import_support": False,
        "import_validity_regex": "^local://",
        "pre_sign_multipart_upload": settings.presign and settings.multipart,
    }


@route("GET", "/healthcheck", "healthCheck", login=False)
def health_check(call: Call) -> Answer:
    return no_content()


@route("GET", "/config", "getConfig")
def get_config(call: Call) -> Answer:
    return json_answer({"version_config": VERSION, "storage_config": _storage(call)})


@route("GET", "/config/version", "getLakeFSVersion")
def get_version(call: Call) -> Answer:
    return json_answer(VERSION)


@route("GET", "/config/storage", "getStorageConfig")
def get_storage_config(call: Call) -> Answer:
    return json_answer(_storage(call))


@route("GET", "/user", "getCurrentUser")
def get_user(call: Call) -> Answer:
    return json_answer({"user": {"id": call.lake.settings.committer, "creation_date": 0}})


@route("GET", "/repositories", "listRepositories", query={**PREFIX_PAGE, "search": str})
def list_repositories(call: Call) -> Answer:
    with call.lake.lock:
        known = dict(call.lake.repositories)
    names = [name for name in known if call.query.get("search", "") in name]
    prefix, after = call.query.get("prefix", ""), call.query.get("after", "")
    page = named_page(names, prefix, after, call.amount, lambda name: repository_document(known[name]))
    return json_answer(page)


@route(
    "POST",
    "/repositories",
    "createRepository",
    query={"bare": bool},
    required={"name": str, "storage_namespace": str},
    optional={"default_branch": str, "storage_id": str, "sample_data": bool, "read_only": bool},
)
def create_repository(call: Call) -> Answer:
    body = call.body
    if call.query.get("bare") or body.get("sample_data") or body.get("read_only"):
        raise Violation("the stand-in has no bare, read-only or sample repositories")
    branch = body.get("default_branch") or "main"
    created = call.lake.create_repository(body["name"], body["storage_namespace"], branch)
    return json_answer(repository_document(created), 201)


@route("GET", REPOSITORY, "getRepository")
def get_repository(call: Call) -> Answer:
    return json_answer(repository_document(call.repository))


@route("DELETE", REPOSITORY, "deleteRepository", query={"force": bool})
def delete_repository(call: Call) -> Answer:
    with call.lake.lock:
        del call.lake.repositories[call.repository.name]
    return no_content()


@route("GET", REPOSITORY + "/branches", "listBranches", query={**PREFIX_PAGE, "show_hidden": bool})
def list_branches(call: Call) -> Answer:
    repository = call.repository
    prefix, after = call.query.get("prefix", ""), call.query.get("after", "")
    with repository.lock:
        branches = repository.branches
        shown = [name for name in branches if call.query.get("show_hidden") or not branches[name].hidden]
        page = named_page(
            shown, prefix, after, call.amount, lambda name: ref_document(name, branches[name].commit)
        )
    return json_answer(page)


@route(
    "POST",
    REPOSITORY + "/branches",
    "createBranch",
    required={"name": str, "source": str},
    optional={"force": bool, "hidden": bool},
)
def create_branch(call: Call) -> Answer:
    repository, body = call.repository, call.body
    with repository.lock:
        commit = repository.create_branch(body["name"], body["source"], body.get("hidden", False))
    # The specification has the bare id here, as text and not as JSON.
    return Answer(status=201, headers={"Content-Type": "text/html"}, body=commit.encode())


@route("GET", BRANCH, "getBranch")
def get_branch(call: Call) -> Answer:
    repository, name = call.repository, call.path["branch"]
    with repository.lock:
        return json_answer(ref_document(name, repository.branch(name).commit))


@route("DELETE", BRANCH, "deleteBranch", query={"force": bool})
def delete_branch(call: Call) -> Answer:
    repository = call.repository
    with repository.lock:
        repository.delete_branch(call.path["branch"])
    return no_content()


@route("PUT", BRANCH, "resetBranch", required={"type": str}, optional={"path": str, "force": bool})
def reset_branch(call: Call) -> Answer:
    repository, branch = call.repository, call.path["branch"]
    kind, path = call.body["type"], call.body.get("path", "")
    with repository.lock:
        if kind == "object":
            repository.reset(branch, path=path)
        elif kind == "common_prefix":
            repository.reset(branch, prefix=path)
        elif kind == "reset":
            repository.reset(branch)
        else:
            raise Violation(f"unknown reset type {kind!r}")
    return no_content()


@route("GET", REPOSITORY + "/tags", "listTags", query=PREFIX_PAGE)
def list_tags(call: Call) -> Answer:
    repository = call.repository
    prefix, after = call.query.get("prefix", ""), call.query.get("after", "")
    with repository.lock:
        tags = repository.tags
        page = named_page(list(tags), prefix, after, call.amount, lambda name: ref_document(name, tags[name]))
    return json_answer(page)


@route("POST", REPOSITORY + "/tags", "createTag", required={"id": str, "ref": str}, optional={"force": bool})
def create_tag(call: Call) -> Answer:
    repository, body = call.repository, call.body
    with repository.lock:
        return json_answer(ref_document(body["id"], repository.create_tag(body["id"], body["ref"])), 201)


@route("GET", REPOSITORY + "/tags/{tag}", "getTag")
def get_tag(call: Call) -> Answer:
    repository, name = call.repository, call.path["tag"]
    with repository.lock:
        return json_answer(ref_document(name, repository.tag(name)))


@route("DELETE", REPOSITORY + "/tags/{tag}", "deleteTag", query={"force": bool})
def delete_tag(call: Call) -> Answer:
    repository = call.repository
    with repository.lock:
        repository.delete_tag(call.path["tag"])
    return no_content()
