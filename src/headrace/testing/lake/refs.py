"""Branches, tags, ref expressions and history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import (
    AlreadyExists,
    InvalidName,
    ProtectedRef,
    RefNotFound,
)
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


class RefContract(LakeFixture):
    """Branches, tags, ref expressions and history."""

    def test_main_exists_and_is_protected(self, lake: LakeStore) -> None:
        """`main` is there from the start and cannot be deleted."""
        assert [branch.name for branch in lake.branches()] == [MAIN]
        with pytest.raises(ProtectedRef):
            lake.delete_branch(MAIN)

    def test_create_branch(self, lake: LakeStore) -> None:
        """A branch begins at its source, without what is staged there."""
        head = commit_files(lake, MAIN, {"x": "1"})
        lake.put(MAIN, "staged", b"1")
        assert lake.create_branch("work", MAIN) == head
        assert paths_at(lake, "work") == ["x"]
        with pytest.raises(AlreadyExists, match="work"):
            lake.create_branch("work", MAIN)
        assert lake.create_branch("work", MAIN, exist_ok=True) == head

    def test_create_branch_at_any_ref(self, lake: LakeStore) -> None:
        """A branch may begin at a tag, an ancestor, a commit or its prefix."""
        first = commit_files(lake, MAIN, {"x": "1"})
        lake.tag("v1", MAIN)
        commit_files(lake, MAIN, {"x": "2"})
        for count, source in enumerate(["v1", f"{MAIN}~1", f"{MAIN}~", first, first[:16]]):
            assert lake.create_branch(f"b{count}", source) == first
            assert text_at(lake, f"b{count}", "x") == "1"

    def test_branches_by_prefix(self, lake: LakeStore) -> None:
        """Branches are listed by name, and a prefix narrows them."""
        for name in ("run-b", "run-a", "other"):
            lake.create_branch(name, MAIN)
        assert [branch.name for branch in lake.branches("run-")] == ["run-a", "run-b"]
        assert lake.branches("run-")[0].commit == lake.resolve(MAIN)

    def test_delete_branch(self, lake: LakeStore) -> None:
        """A deleted branch is gone with what was staged on it."""
        lake.create_branch("work", MAIN)
        lake.put("work", "x", b"1")
        lake.delete_branch("work")
        with pytest.raises(RefNotFound, match="work"):
            lake.stat("work", "x")
        lake.create_branch("work", MAIN)
        assert paths_at(lake, "work") == []
        with pytest.raises(RefNotFound):
            lake.delete_branch("never")

    @pytest.mark.parametrize("name", ["", "a/b", "a.b", "-a", "a b", "a~1", "a^", "a@", "a\n"])
    def test_bad_branch_names(self, lake: LakeStore, name: str) -> None:
        """A name against the rules is refused and leaves nothing."""
        with pytest.raises(InvalidName):
            lake.create_branch(name, MAIN)
        assert len(lake.branches()) == 1

    def test_ref_expressions(self, lake: LakeStore) -> None:
        """`~N`, `^N` and unique prefixes lead to commits."""
        first = commit_files(lake, MAIN, {"x": "1"})
        second = commit_files(lake, MAIN, {"x": "2"})
        lake.create_branch("work", first)
        side = commit_files(lake, "work", {"y": "1"})
        merged = lake.merge("work", MAIN, "merge").id
        assert lake.resolve(MAIN) == merged
        assert lake.resolve(f"{MAIN}@") == merged
        assert lake.resolve(f"{MAIN}~1") == lake.resolve(f"{MAIN}^1") == lake.resolve(f"{MAIN}^") == second
        assert lake.resolve(f"{MAIN}^2") == side
        assert (
            lake.resolve(f"{MAIN}~2") == lake.resolve(f"{MAIN}^2~1") == lake.resolve(f"{merged}^2^") == first
        )
        assert lake.resolve(merged[:20]) == merged

    def test_refs_that_lead_nowhere_say_where_they_stop(self, lake: LakeStore) -> None:
        """Beyond the first commit, or at a parent that is not there, the last commit on the way is named."""
        first = lake.resolve(MAIN)
        made = commit_files(lake, MAIN, {"x": "1"})
        with pytest.raises(RefNotFound, match=f"'main~99': the history ends at {first[:12]}, 1 steps back"):
            lake.resolve("main~99")
        with pytest.raises(RefNotFound, match=f"commit {made[:12]} has 1 parents, no 2"):
            lake.log("main~0^2")
        with pytest.raises(
            RefNotFound, match="no branch, tag or commit 'mian' in the lake: did you mean main"
        ):
            lake.resolve("mian~1")

    @pytest.mark.parametrize("ref", ["nope", "main~99", "main^2", "0" * 64, "main~x", ""])
    def test_unknown_refs(self, lake: LakeStore, ref: str) -> None:
        """What leads nowhere is `RefNotFound`."""
        with pytest.raises(RefNotFound):
            lake.resolve(ref)

    @pytest.mark.parametrize(
        "call",
        [
            lambda lake: lake.put("nope", "x", b"1"),
            lambda lake: lake.delete("nope", ["x"]),
            lambda lake: lake.commit("nope", "message"),
            lambda lake: lake.reset("nope"),
            lambda lake: lake.merge("nope", MAIN, "message"),
            lambda lake: lake.merge(MAIN, "nope", "message"),
            lambda lake: lake.create_branch("new", "nope"),
            lambda lake: lake.tag("t", "nope"),
            lambda lake: list(lake.list("nope")),
            lambda lake: lake.diff("nope", MAIN),
            lambda lake: lake.log("nope"),
            lambda lake: lake.log("nope", first_parent=True),
        ],
    )
    def test_unknown_branch_everywhere(self, lake: LakeStore, call: Callable[[LakeStore], object]) -> None:
        """Every call on an unknown branch says so by name."""
        with pytest.raises(RefNotFound, match="nope"):
            call(lake)

    def test_tags(self, lake: LakeStore) -> None:
        """A tag names a commit for ever, until it is deleted."""
        head = commit_files(lake, MAIN, {"x": "1"})
        assert lake.tag("v1", MAIN) == head
        commit_files(lake, MAIN, {"x": "2"})
        assert text_at(lake, "v1", "x") == "1"
        with pytest.raises(AlreadyExists):
            lake.tag("v1", MAIN)
        assert [tag.name for tag in lake.tags()] == ["v1"]
        lake.delete_tag("v1")
        with pytest.raises(RefNotFound):
            lake.resolve("v1")
        with pytest.raises(RefNotFound):
            lake.delete_tag("v1")

    def test_tag_names(self, lake: LakeStore) -> None:
        """A tag's name has no slash."""
        with pytest.raises(InvalidName):
            lake.tag("a/b", MAIN)

    def test_log_newest_first(self, lake: LakeStore) -> None:
        """The log comes newest first and ends where `limit` says."""
        ids = [commit_files(lake, MAIN, {"x": str(count)}) for count in range(4)]
        assert [commit.id for commit in lake.log(MAIN, limit=3)] == ids[:0:-1]
        assert [commit.id for commit in lake.log(MAIN)][:4] == ids[::-1]

    def test_log_of_first_parents(self, lake: LakeStore) -> None:
        """With `first_parent` the log holds the branch's own commits and merges, not what was merged."""
        first = commit_files(lake, MAIN, {"x": "1"})
        lake.create_branch("work", MAIN)
        side = [commit_files(lake, "work", {"y": str(count)}) for count in range(2)]
        second = commit_files(lake, MAIN, {"x": "2"})
        merged = lake.merge("work", MAIN, "merge").id
        third = commit_files(lake, MAIN, {"x": "3"})
        own = [commit.id for commit in lake.log(MAIN, first_parent=True)]
        assert own[:4] == [third, merged, second, first]
        assert not set(side) & set(own)
        assert set(side) <= {commit.id for commit in lake.log(MAIN)}
        assert [commit.id for commit in lake.log(MAIN, limit=2, first_parent=True)] == [third, merged]
        assert [commit.id for commit in lake.log(f"{MAIN}~1^2", limit=3, first_parent=True)] == [
            *side[::-1],
            first,
        ]
