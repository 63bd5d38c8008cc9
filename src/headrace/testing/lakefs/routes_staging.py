"""Routes: writing past the server, to addresses and presigned URLs that it hands out."""

from __future__ import annotations

import time
import uuid
from typing import Any

from headrace.testing.lakefs.answer import Answer, json_answer, no_content
from headrace.testing.lakefs.bodies import Body
from headrace.testing.lakefs.entry import DEFAULT_CONTENT_TYPE, Entry
from headrace.testing.lakefs.lake import Upload
from headrace.testing.lakefs.names import check_path
from headrace.testing.lakefs.refusal import Refusal, Violation, not_found
from headrace.testing.lakefs.routes_objects import check_preconditions
from headrace.testing.lakefs.routes_repositories import BRANCH
from headrace.testing.lakefs.routing import Call, route
from headrace.testing.lakefs.shapes import object_document

BACKING = BRANCH + "/staging/backing"
MULTIPART = BRANCH + "/staging/pmpu"
MAX_PARTS = 10_000


@route("GET", BACKING, "getPhysicalAddress", query={"path": str, "presign": bool}, needs=("path",))
def get_physical_address(call: Call) -> Answer:
    lake, repository = call.lake, call.repository
    check_path(call.query["path"])
    with repository.lock:
        repository.branch(call.path["branch"])
    body_id, address = lake.new_address(repository)
    document: dict[str, Any] = {"physical_address": address}
    if call.query.get("presign"):
        if not lake.settings.presign:
            raise Refusal(400, "operation not supported")
        url, expires = lake.signer.url(call.base_url, "PUT", body_id)
        document |= {"presigned_url": url, "presigned_url_expiry": expires}
    with lake.lock:
        lake.links.add(address)
    return json_answer(document)


@route(
    "PUT",
    BACKING,
    "linkPhysicalAddress",
    query={"path": str},
    needs=("path",),
    required={"staging": dict, "checksum": str, "size_bytes": int},
    optional={"user_metadata": dict, "content_type": str, "mtime": int, "force": bool},
)
def link_physical_address(call: Call) -> Answer:
    lake, repository, body = call.lake, call.repository, call.body
    branch, path = call.path["branch"], call.query["path"]
    address = body["staging"].get("physical_address")
    if not isinstance(address, str):
        raise Violation("linkPhysicalAddress needs staging.physical_address")
    check_path(path)
    with repository.lock:
        check_preconditions(repository, branch, path, call.headers)
        lake.take_link(address)
        _check_declared(call, address)
        entry = Entry(
            checksum=body["checksum"].strip('"'),
            size_bytes=body["size_bytes"],
            physical_address=address,
            mtime=body.get("mtime", int(time.time())),
            metadata=body.get("user_metadata", {}),
            content_type=body.get("content_type") or DEFAULT_CONTENT_TYPE,
        )
        repository.stage(branch, path, entry)
    return json_answer(object_document(path, entry))


def _check_declared(call: Call, address: str) -> None:
    """Refuse what lakeFS believes: a size other than that of the bytes at the address."""
    file = call.lake.bodies.path(call.lake.body_id(address))
    if not file.exists():
        raise Violation(f"linkPhysicalAddress: nothing was written to {address}")
    if file.stat().st_size != call.body["size_bytes"]:
        raise Violation(f"linkPhysicalAddress: {call.body['size_bytes']} bytes declared, not what is there")


# --- uploads in parts -------------------------------------------------------------------------


@route("POST", MULTIPART, "createPresignMultipartUpload", query={"path": str, "parts": int}, needs=("path",))
def create_multipart(call: Call) -> Answer:
    lake, repository, parts = call.lake, call.repository, call.query.get("parts", 0)
    check_path(call.query["path"])
    if not (lake.settings.presign and lake.settings.multipart):
        raise Refusal(501, "presign multipart upload API is not supported")
    if not 0 <= parts <= MAX_PARTS:
        raise Refusal(400, f"parts can be between 0 and {MAX_PARTS}")
    with repository.lock:
        repository.branch(call.path["branch"])
    body_id, address = lake.new_address(repository)
    upload_id = uuid.uuid4().hex
    with lake.lock:
        lake.links.add(address)
        lake.uploads[upload_id] = Upload(
            physical_address=address, body_id=body_id, branch=call.path["branch"], path=call.query["path"]
        )
    urls = [
        lake.signer.url(call.base_url, "PUT", body_id, upload_id, number)[0] for number in range(1, parts + 1)
    ]
    document = {"upload_id": upload_id, "physical_address": address, "presigned_urls": urls}
    return json_answer(document, 201)


def _upload(call: Call) -> Upload:
    with call.lake.lock:
        upload = call.lake.uploads.get(call.path["uploadId"])
    if upload is None:
        raise not_found("upload")
    if upload.physical_address != call.body["physical_address"]:
        raise Refusal(400, "physical address does not match the upload")
    if (upload.branch, upload.path) != (call.path["branch"], call.query["path"]):
        raise Refusal(400, "branch and path do not match the upload")
    return upload


@route(
    "PUT",
    MULTIPART + "/{uploadId}/parts/{partNumber}",
    "uploadPart",
    query={"path": str},
    needs=("path",),
    required={"physical_address": str},
)
def upload_part(call: Call) -> Answer:
    """Sign a URL for one part anew."""
    number = call.path["partNumber"]
    if not (number.isdecimal() and 1 <= int(number) <= MAX_PARTS):
        raise Refusal(400, f"part number can be between 1 and {MAX_PARTS}")
    upload = _upload(call)
    upload_id = call.path["uploadId"]
    url, _ = call.lake.signer.url(call.base_url, "PUT", upload.body_id, upload_id, int(number))
    return json_answer({"presigned_url": url})


@route(
    "PUT",
    MULTIPART + "/{uploadId}",
    "completePresignMultipartUpload",
    query={"path": str},
    needs=("path",),
    required={"physical_address": str, "parts": list},
    optional={"user_metadata": dict, "content_type": str},
)
def complete_multipart(call: Call) -> Answer:
    lake, repository, body = call.lake, call.repository, call.body
    branch, path = call.path["branch"], call.query["path"]
    with repository.lock:
        repository.branch(branch)
    with lake.lock:
        upload = _upload(call)
        parts = _named_parts(upload, body["parts"], lake.settings.min_part_bytes)
        lake.take_link(upload.physical_address)
        del lake.uploads[call.path["uploadId"]]
    joined = lake.bodies.join(parts, upload.body_id)
    entry = Entry(
        checksum=joined.checksum,
        size_bytes=joined.size_bytes,
        physical_address=upload.physical_address,
        mtime=int(time.time()),
        metadata=body.get("user_metadata", {}),
        content_type=body.get("content_type") or DEFAULT_CONTENT_TYPE,
    )
    with repository.lock:
        repository.stage(branch, path, entry)
    return json_answer(object_document(path, entry))


def _named_parts(upload: Upload, named: list[Any], least: int) -> list[Body]:
    """Return the parts that a completion lists, by the storage's rules; lakeFS hands its 500 on."""
    parts: list[Body] = []
    last = 0
    for part in named:
        if not isinstance(part, dict) or set(part) != {"part_number", "etag"}:
            raise Violation("completePresignMultipartUpload: a part is not {part_number, etag}")
        number, etag = part["part_number"], part["etag"]
        if type(number) is not int or type(etag) is not str:
            raise Violation("completePresignMultipartUpload: part_number is int and etag is str")
        found = upload.parts.get(number)
        if number <= last:
            raise Refusal(500, "InvalidPartOrder: The list of parts was not in ascending order.")
        if found is None or found.checksum != etag.strip('"'):
            raise Refusal(500, "InvalidPart: One or more of the specified parts could not be found.")
        last = number
        parts.append(found)
    if not parts:
        raise Refusal(500, "MalformedXML: You must specify at least one part")
    if any(part.size_bytes < least for part in parts[:-1]):
        raise Refusal(500, "EntityTooSmall: Your proposed upload is smaller than the minimum allowed size")
    return parts


@route(
    "DELETE",
    MULTIPART + "/{uploadId}",
    "abortPresignMultipartUpload",
    query={"path": str},
    needs=("path",),
    required={"physical_address": str},
)
def abort_multipart(call: Call) -> Answer:
    with call.lake.lock:
        upload = _upload(call)
        del call.lake.uploads[call.path["uploadId"]]
        call.lake.links.discard(upload.physical_address)
    for part in upload.parts.values():
        call.lake.bodies.delete(part.id)
    return no_content()
