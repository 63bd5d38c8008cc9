"""The stand-in's commits, history, diffs, merges and reverts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from headrace.testing.lakefs import StandInServer

MAIN = "/repositories/repo/branches/main"
LOG = "/repositories/repo/refs/main/commits"


def forked(api: Any) -> None:
    """`main` with x and y, and a branch `work` from there."""
    api.commit("main", {"x": b"1", "y": b"1"})
    api.branch("work")


def test_commit(api: Any) -> None:
    """A commit has the branch's head as its parent, and keeps its message and metadata."""
    before = api.head("main")
    made = api.commit("main", {"a": b"1"}, message="why", metadata={"run": "r1"})
    assert made.status == 201
    assert made.json["parents"] == [before]
    assert (made.json["message"], made.json["metadata"]) == ("why", {"run": "r1"})
    assert api.head("main") == made.json["id"]
    assert len(made.json["id"]) == 64


def test_commit_of_nothing(api: Any) -> None:
    """What is staged as it is committed already is no change, and no commit."""
    api.commit("main", {"a": b"1"})
    refused = api.commit("main", {"a": b"1", "never-there": None})
    assert (refused.status, refused.message) == (400, "commit: no changes")
    assert api("GET", f"{MAIN}/diff").results == []
    assert api.commit("main", allow_empty=True).status == 201


def test_identity_of_an_object(api: Any) -> None:
    """Other user metadata or another content type make another object of the same bytes."""
    api.commit("main", {"a": b"1"})
    api.put("main", "a", b"1", x_lakefs_meta_Sha256="abc")
    assert [found["type"] for found in api("GET", f"{MAIN}/diff").results] == ["changed"]
    assert api.commit("main").status == 201


def test_equal_trees_share_a_metarange(api: Any) -> None:
    """The metarange is named by content: the same tree has the same name after a detour."""
    one = api.commit("main", {"a": b"1"}).json
    api.commit("main", {"b": b"1"})
    back = api.commit("main", {"b": None}).json
    assert back["meta_range_id"] == one["meta_range_id"]
    assert back["id"] != one["id"]


def test_log(api: Any) -> None:
    """History is newest first, in pages, all of it or the branch's own."""
    root = api.head("main")
    forked(api)
    side = api.commit("work", {"w": b"1"}).json["id"]
    mine = api.commit("main", {"m": b"1"}).json["id"]
    merged = api.merge("work", "main").json["reference"]
    ids = [found["id"] for found in api("GET", LOG).results]
    assert ids[0] == merged
    assert set(ids[1:3]) == {side, mine}
    assert ids[-1] == root
    own = [found["id"] for found in api("GET", LOG, first_parent="true").results]
    assert side not in own
    assert len(own) == len(ids) - 1
    page = api("GET", LOG, amount=2)
    assert page.json["pagination"]["next_offset"] == ids[1]
    assert [found["id"] for found in api("GET", LOG, amount=9, after=ids[1]).results] == ids[2:]
    assert [found["id"] for found in api("GET", LOG, stop_at=ids[1]).results] == ids[:2]
    assert [found["id"] for found in api("GET", LOG, objects="m").results] == [merged, mine][1:]


def test_log_since(api: Any) -> None:
    """`since` ends history at a time, given with its zone."""
    api.commit("main", {"old": b"1"}, date=1_000_000_000)
    api.commit("main", {"new": b"1"}, date=2_000_000_000)
    found = api("GET", LOG, since="2020-01-01T00:00:00Z").results
    assert [commit["creation_date"] for commit in found] == [2_000_000_000]


def test_two_dot_diff(api: Any) -> None:
    """Two dots say what is different on the right, in byte order, staging included."""
    forked(api)
    api.commit("work", {"x": b"2", "y": None, "ä": b"1"})
    api.put("work", "staged", b"1")
    wanted = [("staged", "added"), ("x", "changed"), ("y", "removed"), ("ä", "added")]
    assert api.changes("main", "work") == wanted
    assert api.changes("main", "work", prefix="x") == [("x", "changed")]
    assert api.changes("main", "work", after="x", amount=1) == [("y", "removed")]
    assert api.changes("main", "work%40") == [pair for pair in wanted if pair[0] != "staged"]


def test_three_dot_diff(api: Any) -> None:
    """Three dots leave out what only the left changed, and mark what both changed."""
    forked(api)
    api.commit("work", {"x": b"work", "w": b"1"})
    api.commit("main", {"x": b"main", "m": b"1"})
    assert api.changes("main", "work", "three_dot") == [("w", "added"), ("x", "conflict")]


def test_diff_by_folder(api: Any) -> None:
    """With a delimiter a folder with changes is one line."""
    root = api.head("main")
    api.commit("main", {"a/1": b"1", "a/2": b"1", "b": b"1"})
    assert api.changes(root, "main", delimiter="/") == [("a/", "prefix_changed"), ("b", "added")]


def test_merge(api: Any) -> None:
    """A merge is a commit with both parents, also where a fast-forward would do."""
    forked(api)
    ours = api.head("main")
    theirs = api.commit("work", {"x": b"2", "y": None}).json["id"]
    merged = api.merge("work", "main", message="publish", metadata={"run": "r"})
    commit = api("GET", f"/repositories/repo/commits/{merged.json['reference']}").json
    assert commit["parents"] == [ours, theirs]
    assert commit["metadata"] == {"run": "r", ".lakefs.merge.strategy": "default"}
    assert api.get("main", "x").body == b"2"
    assert api.paths("main") == ["x"]


def test_merge_conflict(api: Any) -> None:
    """A conflict is a 409 that names no path and moves nothing; a strategy decides it."""
    forked(api)
    api.commit("work", {"x": b"work", "w": b"1"})
    head = api.commit("main", {"x": b"main"}).json["id"]
    refused = api.merge("work", "main")
    assert (refused.status, refused.json) == (409, {"reference": ""})
    assert api.head("main") == head
    assert api.merge("work", "main", strategy="dest-wins").status == 200
    assert (api.get("main", "x").body, api.paths("main")) == (b"main", ["w", "x", "y"])
    api.branch("again", head)
    assert api.merge("work", "again", strategy="source-wins").status == 200
    assert api.get("again", "x").body == b"work"


def test_same_change_on_both_sides_is_no_conflict(api: Any) -> None:
    """What both sides changed alike merges."""
    forked(api)
    api.commit("work", {"x": b"2", "w": b"1"})
    api.commit("main", {"x": b"2"})
    assert api.merge("work", "main").status == 200


def test_merge_refusals(api: Any) -> None:
    """Nothing to merge, a dirty destination and an unknown strategy are 400, unknown names 404."""
    forked(api)
    nothing = api.merge("work", "main")
    assert (nothing.status, nothing.message) == (400, "update branch main: no changes")
    api.commit("work", {"w": b"1"})
    assert api.merge("work", "main", strategy="mine").status == 400
    assert api.merge("none", "main").status == 404
    assert api.merge("work", "none").status == 404
    api.put("main", "staged", b"1")
    dirty = api.merge("work", "main")
    assert (dirty.status, dirty.message.partition("main: ")[2]) == (
        400,
        "main: uncommitted changes (dirty branch)",
    )


def test_merge_base(api: Any) -> None:
    """The base of a second merge is the source's commit that the first one took."""
    forked(api)
    first = api.commit("work", {"w": b"1"}).json["id"]
    api.merge("work", "main")
    api.commit("work", {"w": b"2"})
    found = api("GET", "/repositories/repo/refs/work/merge/main").json
    assert found["base_commit_id"] == first
    assert api.changes("main", "work", "three_dot") == [("w", "changed")]


@pytest.mark.parametrize(("event", "status"), [("pre-merge", 200), ("pre-commit", 201)])
def test_hooks_say_no(server: StandInServer, api: Any, event: str, status: int) -> None:
    """A hook stops its event on its branch with a 412 that carries its message, and nothing moves."""
    forked(api)
    api.commit("work", {"w": b"1"})
    server.add_hook(event, "main", "rows are missing")
    before = api.head("main")

    def attempt() -> Any:
        return api.merge("work", "main") if event == "pre-merge" else api.commit("main", {"z": b"1"})

    refused = attempt()
    assert refused.status == 412
    assert f"{event} hook aborted" in refused.message
    assert "rows are missing" in refused.message
    assert api.head("main") == before
    server.clear_hooks()
    assert attempt().status == status


def test_many_writers(server: StandInServer, talk: Any) -> None:
    """Commits and merges from many connections at once: each is in the history once, and nothing is lost."""

    def work(number: int) -> None:
        raw = talk(server)
        raw.branch(f"work{number}")
        for step in range(5):
            raw.commit(f"work{number}", {f"{number}/{step}": b"1"})
            assert raw.merge(f"work{number}", "main").status == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    api = talk(server)
    assert len(api.paths("main")) == 40
    assert len(api("GET", LOG, amount=1000).results) == 1 + 40 + 40


def revert(api: Any, ref: str, parent: int = 0) -> Any:
    return api("POST", f"{MAIN}/revert", {"ref": ref, "parent_number": parent})


def test_revert(api: Any) -> None:
    """A revert commits the inverse, and keeps what came later."""
    forked(api)
    bad = api.commit("main", {"x": b"bad", "y": None}).json["id"]
    api.commit("main", {"z": b"1"})
    assert revert(api, bad).status == 204
    assert (api.get("main", "x").body, api.paths("main")) == (b"1", ["x", "y", "z"])
    log = api("GET", LOG, amount=1).results
    assert log[0]["message"] == f"Revert {bad}"


def test_revert_of_a_merge_needs_a_parent(api: Any) -> None:
    """Reverting a merge asks for the parent to go back to."""
    forked(api)
    api.commit("work", {"w": b"1"})
    merged = api.merge("work", "main").json["reference"]
    assert revert(api, merged).status == 409
    assert revert(api, merged, 3).status == 400
    assert revert(api, merged, 1).status == 204
    assert api.paths("main") == ["x", "y"]


def test_revert_refusals(api: Any) -> None:
    """A revert that conflicts is a 409, one on a dirty branch a 400."""
    forked(api)
    bad = api.commit("main", {"x": b"bad"}).json["id"]
    api.commit("main", {"x": b"later"})
    assert revert(api, bad).status == 409
    api.put("main", "staged", b"1")
    assert revert(api, bad).status == 400
    assert revert(api, "none").status == 404
