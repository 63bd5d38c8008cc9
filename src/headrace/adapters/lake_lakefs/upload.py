"""Bytes up, in constant memory: through the server, by a URL that it signs, or in parts by several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from headrace.adapters.lake_lakefs.answers import Failed
from headrace.adapters.lake_lakefs.connection import Connection
from headrace.adapters.lake_lakefs.content import Content
from headrace.errors import LakeBusy, LakeError, LakeUnavailable

CONTENT_TYPE = "application/octet-stream"
# Below the first, one request through the server is quicker than the three that a signed URL takes.
PRESIGN_FROM_BYTES = 1 << 20
MULTIPART_FROM_BYTES = 64 << 20
SINGLE_PUT_AT_MOST_BYTES = 5 * 10**9  # what S3 and Azure take in one request
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


class Upload:
    """One object on its way up."""

    def __init__(self, connection: Connection, content: Content, target: Target) -> None:
        self._connection = connection
        self._client = connection.client
        self._content = content
        self._target = target
        self._what = f"put {target.path!r} on branch {target.branch!r}"

    def run(self) -> None:
        """Stage the object. Raises the port's errors, and `PreconditionFailed` for a file that changes."""
        size = self._content.size
        storage = self._connection.storage if size >= PRESIGN_FROM_BYTES else {}
        attempt = self._through_server
        if self._connection.settings.presigned and storage.get("pre_sign_support"):
            in_parts = size >= MULTIPART_FROM_BYTES and storage.get("pre_sign_multipart_upload")
            if in_parts and not self._target.if_absent:  # which the route for parts cannot say
                attempt = self._in_parts
            elif size <= SINGLE_PUT_AT_MOST_BYTES:
                attempt = self._by_signed_url
        self._connection.persist(attempt, self._target.done)

    def _through_server(self) -> None:
        target = self._target
        url = self._connection.api_url("branches", target.branch, "objects", path=target.path)
        headers = {f"{META}{key}": value for key, value in target.metadata.items()}
        if target.if_absent:
            headers["If-None-Match"] = "*"
        self._send("POST", url, headers, 0, self._content.size)

    def _by_signed_url(self) -> None:
        target, size = self._target, self._content.size
        # Each attempt asks for an address of its own: a URL expires, and an address is linked once.
        place = self._connection.call(
            self._what, "staging.get_physical_address", target.branch, target.path, presign=True
        )
        fields = {
            "staging": self._client.model("StagingLocation", place),
            "checksum": self._store(place["presigned_url"], 0, size),
            "size_bytes": size,
            "user_metadata": dict(target.metadata),
            "content_type": CONTENT_TYPE,
        }
        condition = {"if_none_match": "*"} if target.if_absent else {}
        body = ("StagingMetadata", fields)
        with self._again_where_lapsed():
            self._client.once(
                self._what,
                "staging.link_physical_address",
                target.branch,
                target.path,
                body=body,
                **condition,
            )

    def _in_parts(self) -> None:
        size = max(PART_BYTES, -(-self._content.size // PARTS_AT_MOST))
        starts = range(0, self._content.size, size)
        parts = _Parts(self, self._begin_parts(len(starts)), starts, size)
        try:
            with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
                stored = list(threads.map(parts.store, range(len(starts))))
            fields = {
                "physical_address": parts.address,
                "parts": stored,
                "user_metadata": dict(self._target.metadata),
                "content_type": CONTENT_TYPE,
            }
            with self._again_where_lapsed():
                self._about_parts("complete", parts, "CompletePresignMultipartUpload", fields)
        except BaseException:
            with suppress(Exception):  # what went wrong before is what is to be told
                fields = {"physical_address": parts.address}
                self._about_parts("abort", parts, "AbortPresignMultipartUpload", fields)
            raise

    def _begin_parts(self, count: int) -> Mapping[str, Any]:
        operation = "experimental.create_presign_multipart_upload"
        target = self._target
        begun = self._connection.call(self._what, operation, target.branch, target.path, parts=count)
        return dict(begun)

    def _about_parts(self, verb: str, parts: _Parts, model: str, fields: Mapping[str, Any]) -> None:
        operation = f"experimental.{verb}_presign_multipart_upload"
        where = (self._target.branch, parts.upload_id, self._target.path)
        self._client.once(self._what, operation, *where, body=(model, fields))

    def _store(self, url: str, start: int, size: int) -> str:
        """Send a stretch of the bytes to a signed URL and return the storage's ETag."""
        azure = {"x-ms-blob-type": "BlockBlob"} if self._is_azure else {}
        etag = self._send("PUT", url, azure, start, size).get("ETag", "").strip().strip('"')
        if not etag:
            raise LakeError(f"{self._what}: the storage took the bytes and gave no ETag for them")
        return etag

    @property
    def _is_azure(self) -> bool:
        return self._connection.storage.get("blockstore_type") == "azure"

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], start: int, size: int
    ) -> Mapping[str, str]:
        described = {**headers, "Content-Type": CONTENT_TYPE, "Content-Length": str(size)}
        body = self._content.blocks(start, size)
        with self._client.stream(self._what, method, url, headers=described, body=body) as answer:
            answer.read()
            found: Mapping[str, str] = answer.headers
        return found

    @contextmanager
    def _again_where_lapsed(self) -> Iterator[None]:
        """Let the upload begin anew where its address is no longer good: a commit or time came between."""
        try:
            yield
        except Failed as failed:
            failure = failed.failure
            if failure.status != 409 and not (failure.status == 400 and "address" in str(failure.error)):
                raise
            lapsed = LakeBusy(f"{self._what}: the address for the bytes lapsed meanwhile")
            raise Failed(replace(failure, error=lapsed, again=True)) from failed


class _Parts:
    """The parts of an upload, each stored by a URL of its own."""

    def __init__(self, upload: Upload, begun: Mapping[str, Any], starts: range, size: int) -> None:
        self.upload_id: str = begun["upload_id"]
        self.address: str = begun["physical_address"]
        self._urls = list(begun["presigned_urls"])
        self._upload = upload
        self._starts = starts
        self._size = size

    def store(self, number: int) -> Any:
        """Store a part, counted from 0, and describe it for the completion. Raises `Failed`."""
        upload, start = self._upload, self._starts[number]
        count = min(self._size, self._starts.stop - start)

        def attempt() -> str:
            try:
                return upload._store(self._urls[number], start, count)
            except Failed as failed:
                if failed.failure.status == 403:
                    self._urls[number] = self._sign_again(number, failed)
                raise

        etag = upload._connection.persist(attempt, inner=True)
        return upload._client.model("UploadPart", {"part_number": number + 1, "etag": etag})

    def _sign_again(self, number: int, failed: Failed) -> str:
        """Get a fresh URL for a part: all were signed at the beginning, and a large file takes its time.

        lakefs-client 1.44 has no method for this route.
        """
        upload, target = self._upload, self._upload._target
        route = ("branches", target.branch, "staging", "pmpu", self.upload_id, "parts", str(number + 1))
        url = upload._connection.api_url(*route, path=target.path)
        try:
            body = {"physical_address": self.address}
            return str(upload._client.send_json(upload._what, "PUT", url, body)["presigned_url"])
        except Failed as refused:
            slow = LakeUnavailable(
                f"{upload._what}: the upload takes longer than the server's URLs are good for; type: "
                "lake.presigned=false"
            )
            if refused.failure.again:
                raise
            raise Failed(replace(failed.failure, error=slow, again=False)) from failed
