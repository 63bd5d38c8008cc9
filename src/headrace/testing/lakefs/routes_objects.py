"""Routes: objects, read at any ref and written on branches."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from itertools import islice
from typing import Any

from headrace.testing.lakefs.answer import Answer, json_answer, no_content
from headrace.testing.lakefs.downloads import download
from headrace.testing.lakefs.entry import DEFAULT_CONTENT_TYPE, Entry
from headrace.testing.lakefs.form import FormPart
from headrace.testing.lakefs.names import check_path
from headrace.testing.lakefs.refusal import Refusal, Violation, not_found, path_exists
from headrace.testing.lakefs.repository import Repository
from headrace.testing.lakefs.routes_repositories import BRANCH, REPOSITORY
from headrace.testing.lakefs.routing import TREE_PAGE, Call, route
from headrace.testing.lakefs.shapes import object_document, page_document, prefix_document, walk

OBJECTS = REPOSITORY + "/refs/{ref}/objects"
BRANCH_OBJECTS = BRANCH + "/objects"
META_PREFIX = "x-lakefs-meta-"
MAX_DELETED = 1000
BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


def check_preconditions(repository: Repository, branch: str, path: str, headers: Message[str, str]) -> None:
    """Answer 412 where the object is there but must not be, or is not the one that was meant."""
    repository.branch(branch)
    absent, etag = headers.get("If-None-Match"), headers.get("If-Match")
    if absent is not None and absent != "*":
        raise Refusal(400, 'Unsupported value for If-None-Match - Only "*" is supported')
    try:
        found = repository.entry(branch, path)
    except Refusal:
        found = None
    if absent is not None and found is not None:
        raise path_exists()
    if etag is not None and (found is None or found.checksum != etag.strip('"')):
        raise Refusal(412, "Precondition failed")


def _content(call: Call) -> tuple[str, Iterator[bytes]]:
    """Return the content type and the bytes of an upload, sent plain or as a form."""
    content_type = call.headers.get("Content-Type", "") or DEFAULT_CONTENT_TYPE
    if not content_type.startswith("multipart/form-data"):
        return content_type, call.blocks
    boundary = BOUNDARY.search(content_type)
    if not boundary:
        raise Refusal(500, "no multipart boundary param in Content-Type")
    part = FormPart(call.blocks, boundary[1])
    return part.content_type, iter(part)


@route(
    "POST",
    BRANCH_OBJECTS,
    "uploadObject",
    query={"path": str, "storageClass": str, "force": bool},
    needs=("path",),
    bytes_body=True,
)
def upload_object(call: Call) -> Answer:
    repository, branch, path = call.repository, call.path["branch"], call.query["path"]
    check_path(path)
    with repository.lock:
        check_preconditions(repository, branch, path, call.headers)
    content_type, blocks = _content(call)
    body = call.lake.bodies.write(blocks)
    entry = Entry(
        checksum=body.checksum,
        size_bytes=body.size_bytes,
        physical_address=call.lake.address(repository, body.id),
        mtime=int(time.time()),
        metadata={
            name.lower().removeprefix(META_PREFIX): value
            for name, value in call.headers.items()
            if name.lower().startswith(META_PREFIX)
        },
        content_type=content_type,
    )
    with repository.lock:
        check_preconditions(repository, branch, path, call.headers)
        repository.stage(branch, path, entry)
    return json_answer(object_document(path, entry), 201)


def _read(call: Call, with_body: bool) -> Answer:
    repository = call.repository
    with repository.lock:
        entry = repository.entry(call.path["ref"], call.query["path"])
    if call.headers.get("If-None-Match", "").strip('"') == entry.checksum:
        return Answer(status=304)
    if call.query.get("presign"):
        return Answer(status=302, headers={"Location": presigned(call, entry)[0]})
    path = call.lake.bodies.path(call.lake.body_id(entry.physical_address))
    return download(path, call.headers, entry.checksum, entry.content_type, entry.mtime, with_body)


@route("GET", OBJECTS, "getObject", query={"path": str, "presign": bool}, needs=("path",))
def get_object(call: Call) -> Answer:
    return _read(call, with_body=True)


@route("HEAD", OBJECTS, "headObject", query={"path": str}, needs=("path",))
def head_object(call: Call) -> Answer:
    return _read(call, with_body=False)


def presigned(call: Call, entry: Entry) -> tuple[str, int]:
    """Return a URL to read an object by, and its expiry."""
    if not call.lake.settings.presign:
        raise Refusal(400, "operation not supported")
    return call.lake.signer.url(call.base_url, "GET", call.lake.body_id(entry.physical_address))


def _stats(call: Call, path: str, entry: Entry) -> dict[str, Any]:
    document = object_document(path, entry, call.query.get("user_metadata", True))
    if call.query.get("presign"):
        document["physical_address"], document["physical_address_expiry"] = presigned(call, entry)
    return document


@route(
    "GET",
    OBJECTS + "/stat",
    "statObject",
    query={"path": str, "user_metadata": bool, "presign": bool},
    needs=("path",),
)
def stat_object(call: Call) -> Answer:
    repository = call.repository
    with repository.lock:
        entry = repository.entry(call.path["ref"], call.query["path"])
    return json_answer(_stats(call, call.query["path"], entry))


@route("GET", OBJECTS + "/ls", "listObjects", query={**TREE_PAGE, "user_metadata": bool, "presign": bool})
def list_objects(call: Call) -> Answer:
    repository, query = call.repository, call.query
    with repository.lock:
        tree = repository.tree(call.path["ref"])
        head = repository.commits[repository.resolve(call.path["ref"]).commit]
    order = head.order if tree is head.tree else sorted(path.encode() for path in tree)
    walked = walk(order, query.get("prefix", ""), query.get("after", ""), query.get("delimiter", ""))
    page = list(islice(walked, call.amount + 1))
    results = [
        prefix_document(path) if common else _stats(call, path, tree[path])
        for path, common in page[: call.amount]
    ]
    return json_answer(page_document(results, len(page) > call.amount, "path"))


@route(
    "DELETE",
    BRANCH_OBJECTS,
    "deleteObject",
    query={"path": str, "force": bool, "no_tombstone": bool},
    needs=("path",),
)
def delete_object(call: Call) -> Answer:
    repository = call.repository
    check_path(call.query["path"])
    with repository.lock:
        repository.remove(call.path["branch"], call.query["path"])
    return no_content()


@route(
    "POST",
    BRANCH_OBJECTS + "/delete",
    "deleteObjects",
    query={"force": bool, "no_tombstone": bool},
    required={"paths": list},
)
def delete_objects(call: Call) -> Answer:
    repository, paths = call.repository, call.body["paths"]
    if not all(isinstance(path, str) for path in paths):
        raise Violation("deleteObjects: paths are not all str")
    if len(paths) > MAX_DELETED:
        # lakeFS answers 500 here, not 400: a client that retries it will wait in vain.
        raise Refusal(500, f"request size exceeded, max paths is set to {MAX_DELETED}")
    errors = []
    with repository.lock:
        for path in paths:
            try:
                check_path(path)
                repository.remove(call.path["branch"], path)
            except Refusal as refusal:
                if refusal.status == 404:  # lakeFS takes an unknown branch for one without the object
                    continue
                errors.append({"status_code": refusal.status, "message": refusal.message, "path": path})
    return json_answer({"errors": errors})


@route(
    "POST",
    BRANCH_OBJECTS + "/copy",
    "copyObject",
    query={"dest_path": str},
    needs=("dest_path",),
    required={"src_path": str},
    optional={"src_ref": str, "force": bool, "shallow": bool},
)
def copy_object(call: Call) -> Answer:
    repository, branch, dest = call.repository, call.path["branch"], call.query["dest_path"]
    source_ref, shallow = call.body.get("src_ref") or branch, call.body.get("shallow", False)
    check_path(dest)
    with repository.lock:
        if branch not in repository.branches:
            raise Refusal(404, f"branch '{branch}' not found")
        source = repository.entry(source_ref, call.body["src_path"])
    if shallow and source_ref != branch:
        raise Refusal(400, "shallow copy works within one branch only: operation not supported")
    address = source.physical_address
    if not shallow:
        address = call.lake.address(repository, call.lake.bodies.copy(call.lake.body_id(address)))
    entry = replace(source, physical_address=address, mtime=int(time.time()))
    with repository.lock:
        repository.stage(branch, dest, entry)
    return json_answer(object_document(dest, entry), 201)


@route(
    "PUT",
    BRANCH_OBJECTS + "/stat/user_metadata",
    "updateObjectUserMetadata",
    query={"path": str},
    needs=("path",),
    required={"set": dict},
)
def update_user_metadata(call: Call) -> Answer:
    repository, branch, path = call.repository, call.path["branch"], call.query["path"]
    with repository.lock:
        if branch not in repository.branches:
            raise not_found("branch")
        repository.stage(branch, path, replace(repository.entry(branch, path), metadata=call.body["set"]))
    return Answer(status=201)
