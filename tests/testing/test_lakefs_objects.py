"""The stand-in's objects: uploads, reads, lists, deletes and copies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from headrace.testing.lakefs import StandInServer

OBJECTS = "/repositories/repo/branches/main/objects"


def test_upload_and_read(api: Any) -> None:
    """An upload's bytes come back, with its MD5 as ETag and its metadata, keys in lower case."""
    made = api.put("main", "a/b.txt", b"hello", X_LakeFS_Meta_Sha256="abc")
    assert made.status == 201
    assert made.json["checksum"] == hashlib.md5(b"hello", usedforsecurity=False).hexdigest()
    assert (made.json["size_bytes"], made.json["metadata"]) == (5, {"sha256": "abc"})
    found = api.get("main", "a/b.txt")
    assert (found.status, found.body) == (200, b"hello")
    assert found.headers["ETag"] == f'"{made.json["checksum"]}"'
    stat = api("GET", "/repositories/repo/refs/main/objects/stat", path_="a/b.txt")
    assert stat.json == made.json
    bare = api("GET", "/repositories/repo/refs/main/objects/stat", path_="a/b.txt", user_metadata="false")
    assert "metadata" not in bare.json


def test_upload_as_a_form(api: Any) -> None:
    """A form's one part `content` is the object, whatever bytes look like a boundary in it."""
    data = b"line\r\n--limi\r\n\r\n--" * 50_000
    form = b'--limit\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n'
    form += b"Content-Type: text/csv\r\n\r\n" + data + b"\r\n--limit--\r\n"
    made = api(
        "POST", OBJECTS, data=form, headers={"Content-Type": "multipart/form-data; boundary=limit"}, path_="x"
    )
    assert (made.status, made.json["content_type"]) == (201, "text/csv")
    assert api.get("main", "x").body == data


def test_upload_in_chunks(api: Any) -> None:
    """A body without a length is taken too."""

    def blocks() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    assert api.put("main", "x", blocks()).status == 201
    assert api.get("main", "x").body == b"one two"


def test_upload_if_absent(api: Any) -> None:
    """`If-None-Match: *` writes only where nothing is, and `If-Match` only over what was meant."""
    first = api.put("main", "x", b"1", If_None_Match="*")
    assert first.status == 201
    again = api.put("main", "x", b"2", If_None_Match="*")
    assert (again.status, again.message) == (412, "path already exists")
    assert api.put("main", "x", b"2", If_None_Match="etag").status == 400
    assert api.put("main", "x", b"2", If_Match="other").status == 412
    assert api.put("main", "x", b"2", If_Match=first.json["checksum"]).status == 201
    assert api.get("main", "x").body == b"2"


def test_missing_things(api: Any) -> None:
    """A missing object and an unknown ref are both a 404 that says no more than that."""
    assert (api.get("main", "x").status, api.get("main", "x").message) == (404, "not found")
    assert (api.get("none", "x").status, api.get("none", "x").message) == (404, "not found")
    assert api.put("none", "x", b"1").status == 404
    assert api.put("main", "", b"1").status == 400
    assert api.put("main", "x" * 1025, b"1").status == 400


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=0-1", b"01", "bytes 0-1/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
def test_ranges(api: Any, asked: str, body: bytes, content_range: str) -> None:
    """A range is answered with 206 and says where it lies."""
    api.put("main", "x", b"0123456789")
    found = api.get("main", "x", Range=asked)
    assert (found.status, found.body, found.headers["Content-Range"]) == (206, body, content_range)


def test_range_beyond_the_end(api: Any) -> None:
    """A range that an object has not is a 416."""
    api.put("main", "x", b"0123456789")
    assert api.get("main", "x", Range="bytes=10-").status == 416


def test_head_and_not_modified(api: Any) -> None:
    """HEAD sends the length and no body, and a known ETag gets a 304."""
    etag = api.put("main", "x", b"12345").json["checksum"]
    found = api("HEAD", "/repositories/repo/refs/main/objects", path_="x")
    assert (found.status, found.headers["Content-Length"], found.body) == (200, "5", b"")
    assert api.get("main", "x", **{"If-None-Match": f'"{etag}"'}).status == 304
    assert api("HEAD", "/repositories/repo/refs/main/objects", path_="none").status == 404


def test_object_without_bytes_is_gone(server: StandInServer, api: Any) -> None:
    """Where the storage lost an object's bytes, reading it is a 410."""
    api.put("main", "x", b"1")
    server.body_path("repo", "main", "x").unlink()
    assert api.get("main", "x").status == 410


def test_list(api: Any) -> None:
    """A list is in byte order, by prefix, above `after`, and by folder with a delimiter."""
    api.commit("main", dict.fromkeys(["a", "a/b", "a/c/d", "ä"], b"1"))
    for path in ("b/e", "b/f", "z"):
        api.put("main", path, b"1")
    assert api.paths("main") == ["a", "a/b", "a/c/d", "b/e", "b/f", "z", "ä"]
    assert api.paths("main", prefix="a/") == ["a/b", "a/c/d"]
    assert api.paths("main", after="b/ee") == ["b/f", "z", "ä"]
    assert api.paths("main", delimiter="/") == ["a", "a/", "b/", "z", "ä"]
    assert api.paths("main", delimiter="/", prefix="a/") == ["a/b", "a/c/"]
    assert api.paths("main", delimiter="/", after="a/") == ["b/", "z", "ä"]


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_of_a_list(api: Any, delimiter: str) -> None:
    """Following `next_offset` gives every path once, whatever the size of a page."""
    paths = [f"{folder}/{number}" for folder in "abc" for number in range(4)]
    api.commit("main", dict.fromkeys(paths, b"1"))
    seen, after = [], ""
    while True:
        page = api(
            "GET",
            "/repositories/repo/refs/main/objects/ls",
            amount=2,
            after=after,
            delimiter=delimiter,
        ).json
        seen += [found["path"] for found in page["results"]]
        after = page["pagination"]["next_offset"]
        if not page["pagination"]["has_more"]:
            break
    assert seen == (["a/", "b/", "c/"] if delimiter else paths)


def test_delete(api: Any) -> None:
    """Removing what is committed is a change, what was only staged none, what never was no error."""
    api.commit("main", {"a": b"1"})
    api.put("main", "staged", b"1")
    gone = api("POST", f"{OBJECTS}/delete", {"paths": ["a", "staged", "never"]})
    assert (gone.status, gone.json) == (200, {"errors": []})
    found = api("GET", "/repositories/repo/branches/main/diff").results
    assert [(change["path"], change["type"]) for change in found] == [("a", "removed")]
    assert api.get("main", "a").status == 404
    assert api.get("main%40", "a").status == 200


def test_delete_too_many(api: Any) -> None:
    """More than a thousand paths at once are refused, with lakeFS's own 500."""
    many = api("POST", f"{OBJECTS}/delete", {"paths": [str(number) for number in range(1001)]})
    assert (many.status, many.message) == (500, "request size exceeded, max paths is set to 1000")


def test_copy(api: Any) -> None:
    """A copy has bytes and metadata of its source, at any ref, and an address of its own."""
    made = api.put("main", "a", b"1", x_lakefs_meta_sha256="abc").json
    commit = api.commit("main").json["id"]
    api.branch("work")
    target = "/repositories/repo/branches/work/objects/copy"
    copied = api("POST", target, {"src_path": "a", "src_ref": commit}, dest_path="b")
    assert copied.status == 201
    assert copied.json["metadata"] == {"sha256": "abc"}
    assert copied.json["physical_address"] != made["physical_address"]
    assert api.get("work", "b").body == b"1"
    assert api("POST", target, {"src_path": "none"}, dest_path="b").status == 404


def test_update_metadata(api: Any) -> None:
    """User metadata can be replaced on a branch; the object is then another one."""
    api.commit("main", {"a": b"1"})
    target = "/repositories/repo/branches/main/objects/stat/user_metadata"
    assert api("PUT", target, {"set": {"k": "v"}}, path_="a").status == 201
    stat = api("GET", "/repositories/repo/refs/main/objects/stat", path_="a")
    assert stat.json["metadata"] == {"k": "v"}
    assert api.commit("main").status == 201


def test_connection_is_kept(api: Any) -> None:
    """Requests share one connection, those that were refused with a body included."""
    api.put("main", "x", b"1", If_None_Match="*")
    socket = api.connection.sock
    assert api.put("main", "x", b"1" * 1_000_000, If_None_Match="*").status == 412
    assert api.get("main", "x").status == 200
    assert api.connection.sock is socket
