"""The stand-in's repositories, branches, tags and ref expressions."""

from __future__ import annotations

from typing import Any

import pytest

BRANCHES = "/repositories/repo/branches"
TAGS = "/repositories/repo/tags"


def test_login_is_required(api: Any) -> None:
    """Without the right keys every route but the health check answers 401."""
    assert api.send("GET", "/api/v1/healthcheck").status == 204
    wrong = api.send("GET", "/api/v1/config", headers={"Authorization": "Basic d3Jvbmc6a2V5"})
    assert (wrong.status, wrong.message) == (401, "error authenticating request")
    assert api.send("GET", "/api/v1/config").status == 401
    assert api("GET", "/config").json["storage_config"]["pre_sign_multipart_upload"] is True


def test_repositories(api: Any) -> None:
    """Repositories are created once, in a namespace of their own, and found by name."""
    made = api("POST", "/repositories", {"name": "second", "storage_namespace": "local://second"})
    assert made.status == 201
    assert made.json["default_branch"] == "main"
    again = api("POST", "/repositories", {"name": "second", "storage_namespace": "local://other"})
    assert (again.status, again.message) == (409, "repository already exists")
    taken = api("POST", "/repositories", {"name": "third", "storage_namespace": "local://second/"})
    assert taken.status == 400
    assert [found["id"] for found in api("GET", "/repositories").results] == ["repo", "second"]
    assert api("DELETE", "/repositories/second").status == 204
    missing = api("GET", "/repositories/second")
    assert (missing.status, missing.message) == (404, "repository not found")


@pytest.mark.parametrize("name", ["a/b", "a.b", "-a", "", "ä"])
def test_branch_names(api: Any, name: str) -> None:
    """A branch's name is letters, digits, underscores and hyphens."""
    assert api.branch(name).status == 400


@pytest.mark.parametrize("name", ["@", "a..b", "a.lock", "a/", "a b", "a^", "a:b", ""])
def test_tag_names(api: Any, name: str) -> None:
    """A tag's name keeps to git's rules."""
    assert api("POST", TAGS, {"id": name, "ref": "main"}).status == 400


def test_branches(api: Any) -> None:
    """A branch starts at its source, is created once, and goes with what is staged on it."""
    made = api.branch("work")
    assert (made.status, made.body.decode()) == (201, api.head("main"))
    assert api.branch("work").status == 409
    assert api.branch("other", "nothing").status == 404
    assert api("DELETE", f"{BRANCHES}/work").status == 204
    gone = api("GET", f"{BRANCHES}/work")
    assert (gone.status, gone.message) == (404, "branch not found")
    kept = api("DELETE", f"{BRANCHES}/main")
    assert (kept.status, kept.message) == (403, "cannot delete repository default branch")


def test_tags(api: Any) -> None:
    """A tag names a commit, and its name is not used twice, nor for a branch."""
    made = api("POST", TAGS, {"id": "v1", "ref": "main"})
    assert (made.status, made.json) == (201, {"id": "v1", "commit_id": api.head("main")})
    assert api("POST", TAGS, {"id": "v1", "ref": "main"}).status == 409
    assert api("POST", TAGS, {"id": "main", "ref": "main"}).status == 409
    assert api.branch("v1").status == 409
    assert api("DELETE", f"{TAGS}/v1").status == 204
    assert api("GET", f"{TAGS}/v1").message == "tag not found"


def test_pages_of_branches(api: Any) -> None:
    """Lists come in pages; the next one begins after the last name of this one."""
    for name in ("a1", "a2", "a3", "b"):
        api.branch(name)
    first = api("GET", BRANCHES, prefix="a", amount=2)
    assert [found["id"] for found in first.results] == ["a1", "a2"]
    assert first.json["pagination"] == {
        "has_more": True,
        "next_offset": "a2",
        "results": 2,
        "max_per_page": 1000,
    }
    rest = api("GET", BRANCHES, prefix="a", amount=2, after="a2")
    assert [found["id"] for found in rest.results] == ["a3"]
    assert rest.json["pagination"]["has_more"] is False
    assert rest.json["pagination"]["next_offset"] == ""


def test_ref_expressions(api: Any) -> None:
    """Commits are named by id, unique prefix, branch, tag, and steps from there."""
    root = api.head("main")
    first = api.commit("main", {"a": b"1"}).json["id"]
    api.branch("work", root)
    side = api.commit("work", {"b": b"1"}).json["id"]
    merged = api.merge("work", "main").json["reference"]

    def named(ref: str) -> Any:
        return api("GET", f"/repositories/repo/commits/{ref}").json.get("id")

    assert named("main") == named("main%40") == named(merged) == named(merged[:16]) == merged
    assert named("main~") == named("main%5E1") == named("main~1") == first
    assert named("main%5E2") == side
    assert named("main%40%5E2") is None
    assert named("main~2") == named("main%5E2~") == root
    assert named("main~0") == merged


@pytest.mark.parametrize(
    ("ref", "status"),
    [("none", 404), ("main~9", 404), ("main%5E2", 404), ("main%24", 400), ("~1", 400), ("ffff", 404)],
)
def test_refs_that_name_nothing(api: Any, ref: str, status: int) -> None:
    """An unknown ref is a 404, one that cannot be read or is no commit a 400."""
    assert api("GET", f"/repositories/repo/commits/{ref}").status == status


def test_reading_includes_staging_at_a_bare_branch(api: Any) -> None:
    """`branch` shows what is staged, `branch@` what is committed, `branch$` the staged alone."""
    api.commit("main", {"committed": b"1"})
    api.put("main", "staged", b"1")
    assert api.paths("main") == ["committed", "staged"]
    assert api.paths("main%40") == api.paths(api.head("main")) == ["committed"]
    assert api.paths("main%24") == ["staged"]
    assert api.get("main%40", "staged").status == 404


def test_reset(api: Any) -> None:
    """Staged changes are dropped one by one, by prefix, or all together."""
    for path in ("a", "b/1", "b/2", "c"):
        api.put("main", path, b"1")
    assert api("PUT", f"{BRANCHES}/main", {"type": "object", "path": "a"}).status == 204
    assert api.paths("main") == ["b/1", "b/2", "c"]
    assert api("PUT", f"{BRANCHES}/main", {"type": "common_prefix", "path": "b/"}).status == 204
    assert api.paths("main") == ["c"]
    assert api("PUT", f"{BRANCHES}/main", {"type": "reset"}).status == 204
    assert api.paths("main") == []
