"""The storage behind presigned URLs: answers as S3 does, and knows nothing of lakeFS."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from email.message import Message

from headrace.testing.lakefs.answer import Answer
from headrace.testing.lakefs.bodies import Body
from headrace.testing.lakefs.downloads import download
from headrace.testing.lakefs.lake import Lake
from headrace.testing.lakefs.presign import StorageRefusal

OCTETS = "binary/octet-stream"


def serve_storage(
    lake: Lake,
    method: str,
    body_id: str,
    query: Mapping[str, str],
    headers: Message[str, str],
    blocks: Iterator[bytes],
) -> Answer:
    """Serve a GET or PUT by presigned URL. Raises `StorageRefusal`."""
    grant = lake.signer.check(method, body_id, query, "Authorization" in headers)
    if method == "GET":
        return _get(lake, body_id, headers)
    if "Content-Length" not in headers:
        raise StorageRefusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if not grant.upload_id:
        body = lake.bodies.write(blocks, body_id)
        _check_digest(lake, body, headers)
        return Answer(status=200, headers={"ETag": f'"{body.checksum}"'})
    with lake.lock:
        upload = lake.uploads.get(grant.upload_id)
    if upload is None:
        raise StorageRefusal(404, "NoSuchUpload", "The specified upload does not exist.")
    part = lake.bodies.write(blocks)
    _check_digest(lake, part, headers)
    with lake.lock:
        replaced = upload.parts.get(grant.part_number)
        upload.parts[grant.part_number] = part
    if replaced:
        lake.bodies.delete(replaced.id)
    return Answer(status=200, headers={"ETag": f'"{part.checksum}"'})


def _check_digest(lake: Lake, body: Body, headers: Message[str, str]) -> None:
    """Hold a body to the Content-MD5 that came with it, where one did."""
    sent = headers.get("Content-MD5")
    if sent is not None and sent != base64.b64encode(bytes.fromhex(body.checksum)).decode():
        lake.bodies.delete(body.id)
        message = "The Content-MD5 you specified did not match what we received."
        raise StorageRefusal(400, "BadDigest", message)


def _get(lake: Lake, body_id: str, headers: Message[str, str]) -> Answer:
    path = lake.bodies.path(body_id)
    if not path.exists():
        raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
    return download(
        path, headers, lake.bodies.checksum(body_id), OCTETS, int(path.stat().st_mtime), with_body=True
    )
