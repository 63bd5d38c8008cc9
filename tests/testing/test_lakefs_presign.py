"""The stand-in's presigned URLs and uploads in parts."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from headrace.testing.lakefs import StandInServer

BACKING = "/repositories/repo/branches/main/staging/backing"
PARTS = "/repositories/repo/branches/main/staging/pmpu"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def link(api: Any, address: str, data: bytes, path: str = "x", **headers: str) -> Any:
    body = {
        "staging": {"physical_address": address},
        "checksum": md5(data),
        "size_bytes": len(data),
        "user_metadata": {"sha256": "abc"},
    }
    return api("PUT", BACKING, body, headers={k.replace("_", "-"): v for k, v in headers.items()}, path_=path)


def test_presigned_round_trip(api: Any) -> None:
    """Bytes go to the storage without a login, are linked to a path, and come back the same way."""
    place = api("GET", BACKING, path_="x", presign="true").json
    stored = api.send("PUT", place["presigned_url"], b"hello")
    assert (stored.status, stored.headers["ETag"]) == (200, f'"{md5(b"hello")}"')
    assert api.get("main", "x").status == 404
    linked = link(api, place["physical_address"], b"hello")
    assert (linked.status, linked.json["metadata"]) == (200, {"sha256": "abc"})
    moved = api("GET", "/repositories/repo/refs/main/objects", path_="x", presign="true")
    assert moved.status == 302
    assert api.send("GET", moved.headers["Location"]).body == b"hello"
    stat = api("GET", "/repositories/repo/refs/main/objects/stat", path_="x", presign="true").json
    assert stat["physical_address_expiry"] > stat["mtime"]
    part = api.send("GET", stat["physical_address"], headers={"Range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"el")


def test_address_is_linked_once(api: Any) -> None:
    """An address is used up by its link; a second link, or one of an unknown address, is a 400."""
    place = api("GET", BACKING, path_="x", presign="true").json
    api.send("PUT", place["presigned_url"], b"hello")
    assert link(api, place["physical_address"], b"hello").status == 200
    assert link(api, place["physical_address"], b"hello").message == "link address invalid"
    assert link(api, "local://repo/data/unknown", b"hello").status == 400


def test_link_if_absent(api: Any) -> None:
    """A link, too, can be held to paths where nothing is."""
    api.put("main", "x", b"1")
    place = api("GET", BACKING, path_="x", presign="true").json
    api.send("PUT", place["presigned_url"], b"hello")
    assert link(api, place["physical_address"], b"hello", If_None_Match="*").status == 412


def test_storage_wants_the_url_alone(api: Any) -> None:
    """The storage refuses a login beside the signature, a changed URL, and the other method."""
    api.put("main", "x", b"hello")
    stat = api("GET", "/repositories/repo/refs/main/objects/stat", path_="x", presign="true").json
    url = stat["physical_address"]
    both = api.send("GET", url, headers=api.login)
    assert (both.status, b"InvalidArgument" in both.body) == (400, True)
    assert api.send("GET", url.replace("X-Expires=", "X-Expires=9")).status == 403
    assert api.send("PUT", url, b"changed").status == 403
    assert api.send("GET", url.partition("?")[0]).status == 403
    assert api.get("main", "x").body == b"hello"


def test_url_expires(talk: Any) -> None:
    """A URL past its time is refused as S3 does it."""
    with StandInServer(presign_seconds=-5) as server:
        server.create_repository("repo")
        api = talk(server)
        place = api("GET", BACKING, path_="x", presign="true").json
        late = api.send("PUT", place["presigned_url"], b"hello")
    assert late.status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in late.body


def test_storage_wants_a_length(api: Any) -> None:
    """A presigned upload without a length is a 411."""
    place = api("GET", BACKING, path_="x", presign="true").json
    assert api.send("PUT", place["presigned_url"], iter([b"a", b"b"])).status == 411


def test_storage_checks_a_digest(api: Any) -> None:
    """A body that is not what its Content-MD5 says is refused and not kept."""
    place = api("GET", BACKING, path_="x", presign="true").json
    right = {"Content-MD5": base64.b64encode(bytes.fromhex(md5(b"hello"))).decode()}
    wrong = api.send("PUT", place["presigned_url"], b"hallo", headers=right)
    assert (wrong.status, b"BadDigest" in wrong.body) == (400, True)
    assert api.send("PUT", place["presigned_url"], b"hello", headers=right).status == 200


def test_upload_in_parts(api: Any) -> None:
    """Parts, in any order and again, become one object with S3's digest of digests."""
    begun = api("POST", PARTS, path_="x", parts=3)
    assert begun.status == 201
    parts = [b"a" * 10, b"b" * 12, b"c"]
    urls = begun.json["presigned_urls"]
    api.send("PUT", urls[0], b"wrong at first")
    tags = {number: api.send("PUT", urls[number], parts[number]).headers["ETag"] for number in (2, 1, 0)}
    body = {
        "physical_address": begun.json["physical_address"],
        "parts": [{"part_number": number + 1, "etag": tags[number]} for number in range(3)],
        "user_metadata": {"sha256": "abc"},
    }
    made = api("PUT", f"{PARTS}/{begun.json['upload_id']}", body, path_="x")
    assert made.status == 200
    whole = b"".join(bytes.fromhex(md5(part)) for part in parts)
    assert made.json["checksum"] == f"{md5(whole)}-3"
    assert (made.json["size_bytes"], made.json["metadata"]) == (23, {"sha256": "abc"})
    assert api.get("main", "x").body == b"".join(parts)
    assert api("PUT", f"{PARTS}/{begun.json['upload_id']}", body, path_="x").status == 404


def test_parts_that_do_not_fit(api: Any) -> None:
    """A wrong ETag, an order that falls, or a part too small is refused, and can be mended."""
    begun = api("POST", PARTS, path_="x", parts=2).json
    tags = [api.send("PUT", url, b"tiny").headers["ETag"] for url in begun["presigned_urls"]]

    def complete(parts: list[tuple[int, str]]) -> Any:
        named = [{"part_number": number, "etag": etag} for number, etag in parts]
        body = {"physical_address": begun["physical_address"], "parts": named}
        return api("PUT", f"{PARTS}/{begun['upload_id']}", body, path_="x")

    assert complete([(1, tags[0]), (2, "wrong")]).message.startswith("InvalidPart:")
    assert complete([(2, tags[1]), (1, tags[0])]).message.startswith("InvalidPartOrder:")
    assert complete([(1, tags[0]), (2, tags[1])]).message.startswith("EntityTooSmall:")
    api.send("PUT", begun["presigned_urls"][0], b"long enough")
    assert complete([(1, md5(b"long enough")), (2, tags[1])]).status == 200


def test_abort(api: Any) -> None:
    """An upload that was given up takes no more parts and cannot be completed."""
    begun = api("POST", PARTS, path_="x", parts=1).json
    target, address = f"{PARTS}/{begun['upload_id']}", {"physical_address": begun["physical_address"]}
    assert api("DELETE", target, address, path_="x").status == 204
    assert api.send("PUT", begun["presigned_urls"][0], b"late").status == 404
    assert api("DELETE", target, address, path_="x").status == 404


def test_server_without_presigning(talk: Any) -> None:
    """A server that does not presign says so in its config, and refuses to."""
    with StandInServer(presign=False) as server:
        server.create_repository("repo")
        api = talk(server)
        config = api("GET", "/config").json["storage_config"]
        refused = api("GET", BACKING, path_="x", presign="true")
        parts = api("POST", PARTS, path_="x", parts=1)
    assert (config["pre_sign_support"], config["pre_sign_multipart_upload"]) == (False, False)
    assert (refused.status, parts.status) == (400, 501)
