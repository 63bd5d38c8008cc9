"""Bytes up, in constant memory: through the server, by a URL that it signs, or in parts by several."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from headrace.adapters.lake_lakefs.answers import Failure
from headrace.adapters.lake_lakefs.connection import Connection, Failed
from headrace.adapters.lake_lakefs.content import Content
from headrace.errors import LakeBusy, LakeError

CONTENT_TYPE = "application/octet-stream"
# Below the first, one request through the server is quicker than the three that a signed URL takes.
PRESIGN_FROM_BYTES = 1 << 20
MULTIPART_FROM_BYTES = 64 << 20
PART_BYTES = 16 << 20
PARTS_AT_MOST = 1_000
PARTS_AT_ONCE = 4
META = "x-lakefs-meta-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an object goes, and what goes with it. `done` finds it there if an answer was lost."""

    branch: str
    path: str
    metadata: Mapping[str, str]
    if_absent: bool
    done: Callable[[], Any]

    @property
    def what(self) -> str:
        return f"put {self.path!r} on branch {self.branch!r}"


def upload(connection: Connection, content: Content, target: Target) -> None:
    """Stage an object."""
    storage = connection.storage if content.size >= PRESIGN_FROM_BYTES else {}
    if not (connection.settings.presigned and storage.get("pre_sign_support")):
        attempt = _through_server
    elif (
        content.size >= MULTIPART_FROM_BYTES
        and storage.get("pre_sign_multipart_upload")
        and not target.if_absent  # which the route for parts cannot say
    ):
        attempt = _in_parts
    else:
        attempt = _by_signed_url
    connection.persist(target.what, lambda: attempt(connection, content, target), target.done)


def _through_server(connection: Connection, content: Content, target: Target) -> Any:
    url = connection.api_url("branches", target.branch, "objects", path=target.path)
    headers = {f"{META}{key}": value for key, value in target.metadata.items()}
    if target.if_absent:
        headers["If-None-Match"] = "*"
    with _sent(connection, "POST", url, content, target, headers, 0, content.size) as answer:
        return json.loads(answer.read())


def _by_signed_url(connection: Connection, content: Content, target: Target) -> Any:
    # Each attempt asks for an address of its own: a URL expires, and an address is linked once.
    place = connection.call(
        target.what, "staging.get_physical_address", target.branch, target.path, presign=True
    )
    etag = _store(connection, place["presigned_url"], content, target, 0, content.size)
    fields = {
        "staging": connection.model("StagingLocation", place),
        "checksum": etag,
        "size_bytes": content.size,
        "user_metadata": dict(target.metadata),
        "content_type": CONTENT_TYPE,
    }
    condition = {"if_none_match": "*"} if target.if_absent else {}
    with _again_where_committed(target):
        body = ("StagingMetadata", fields)
        return connection.once(
            "staging.link_physical_address", target.branch, target.path, body=body, **condition
        )


def _in_parts(connection: Connection, content: Content, target: Target) -> Any:
    size = max(PART_BYTES, -(-content.size // PARTS_AT_MOST))
    starts = range(0, content.size, size)
    begun = connection.call(
        target.what,
        "experimental.create_presign_multipart_upload",
        target.branch,
        target.path,
        parts=len(starts),
    )

    def store(number: int) -> Any:
        start = starts[number]
        etag = connection.persist(
            f"{target.what}, part {number + 1} of {len(starts)}",
            lambda: _store(
                connection,
                begun["presigned_urls"][number],
                content,
                target,
                start,
                min(size, content.size - start),
            ),
            inner=True,
        )
        return connection.model("UploadPart", {"part_number": number + 1, "etag": etag})

    address = begun["physical_address"]
    where = (target.branch, begun["upload_id"], target.path)
    try:
        with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
            parts = list(threads.map(store, range(len(starts))))
        fields = {
            "physical_address": address,
            "parts": parts,
            "user_metadata": dict(target.metadata),
            "content_type": CONTENT_TYPE,
        }
        with _again_where_committed(target):
            return connection.once(
                "experimental.complete_presign_multipart_upload",
                *where,
                body=("CompletePresignMultipartUpload", fields),
            )
    except BaseException:
        with suppress(Exception):  # what went wrong before is what is to be told
            connection.once(
                "experimental.abort_presign_multipart_upload",
                *where,
                body=("AbortPresignMultipartUpload", {"physical_address": address}),
            )
        raise


def _store(connection: Connection, url: str, content: Content, target: Target, start: int, size: int) -> str:
    """Send a stretch of the bytes to a signed URL and return the storage's ETag."""
    with _sent(connection, "PUT", url, content, target, {}, start, size) as answer:
        answer.read()
        etag = str(answer.headers.get("ETag", "")).strip()
    if not etag:
        raise LakeError(f"{target.what}: the storage took the bytes and gave no ETag for them")
    return etag


def _sent(
    connection: Connection,
    method: str,
    url: str,
    content: Content,
    target: Target,
    headers: Mapping[str, str],
    start: int,
    size: int,
) -> AbstractContextManager[Any]:
    described = {**headers, "Content-Type": CONTENT_TYPE, "Content-Length": str(size)}
    body = content.blocks(start, size)
    return connection.stream(target.what, method, url, headers=described, body=body)


@contextmanager
def _again_where_committed(target: Target) -> Iterator[None]:
    """Let the upload begin anew where a commit took the address away meanwhile (409)."""
    try:
        yield
    except Exception as error:
        if getattr(error, "status", None) != 409:
            raise
        busy = LakeBusy(f"{target.what}: commits to the branch come in between")
        raise Failed(Failure(busy, again=True, status=409)) from error
