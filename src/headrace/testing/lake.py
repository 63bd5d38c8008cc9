"""What every `LakeStore` must do. Needs pytest.

    class TestMyLake(LakeContract):
        @pytest.fixture
        def lake(self, tmp_path):
            return MyLake(tmp_path)

The lake given is fresh: nothing on it but an empty `main`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.core.ports import MAIN, Change, CommonPrefix, LakeStore
from headrace.errors import (
    AlreadyExists,
    InvalidName,
    MergeConflict,
    NoChanges,
    ObjectNotFound,
    ProtectedRef,
    RefNotFound,
    UncommittedChanges,
)


def commit_files(lake: LakeStore, branch: str, files: dict[str, str | None]) -> str:
    """Put (or with None delete) files on a branch, commit, and return the commit's id."""
    for path, text in files.items():
        if text is None:
            lake.delete(branch, [path])
        else:
            lake.put(branch, path, text.encode())
    return lake.commit(branch, "commit files").id


def text_at(lake: LakeStore, ref: str, path: str) -> str:
    with lake.open(ref, path) as file:
        return file.read().decode()


def paths_at(lake: LakeStore, ref: str, prefix: str = "", delimiter: str = "", after: str = "") -> list[str]:
    return [found.path for found in lake.list(ref, prefix, delimiter, after)]


class LakeFixture:
    """Where a subclass hands in its adapter."""

    @pytest.fixture
    def lake(self) -> LakeStore:
        raise NotImplementedError("override the fixture `lake` to return a fresh lake")


class ObjectContract(LakeFixture):
    """Objects, staging and commits."""

    def test_put_describes_bytes(self, lake: LakeStore) -> None:
        """An object is known by the sha256 of its bytes, its size and its metadata."""
        put = lake.put(MAIN, "a/b.bin", b"water", metadata={"codec": "raw"})
        assert put.digest == f"sha256:{hashlib.sha256(b'water').hexdigest()}"
        assert (put.path, put.bytes, dict(put.metadata)) == ("a/b.bin", 5, {"codec": "raw"})
        assert lake.stat(MAIN, "a/b.bin") == put

    def test_put_copies_file(self, lake: LakeStore, tmp_path: Path) -> None:
        """A file that is put without `consume` stays as it was, and later writes do not reach the lake."""
        file = tmp_path / "mine.txt"
        file.write_text("before")
        mode = file.stat().st_mode
        lake.put(MAIN, "mine.txt", file)
        file.write_text("after")
        assert text_at(lake, MAIN, "mine.txt") == "before"
        assert file.stat().st_mode == mode

    def test_put_consumes_file(self, lake: LakeStore, tmp_path: Path) -> None:
        """A consumed file is in the lake and no longer outside."""
        file = tmp_path / "mine.txt"
        file.write_text("water")
        lake.put(MAIN, "mine.txt", file, consume=True)
        assert text_at(lake, MAIN, "mine.txt") == "water"
        assert not file.exists()

    def test_local_path_gives_bytes(self, lake: LakeStore) -> None:
        """A local path holds the object's bytes."""
        lake.put(MAIN, "x", b"water")
        assert lake.local_path(MAIN, "x").read_bytes() == b"water"

    def test_empty_object(self, lake: LakeStore) -> None:
        """An object may have no bytes."""
        lake.put(MAIN, "empty", b"")
        assert lake.stat(MAIN, "empty").bytes == 0
        assert text_at(lake, MAIN, "empty") == ""

    def test_if_absent_refuses_present(self, lake: LakeStore) -> None:
        """`if_absent` refuses a path that is taken, and takes one that was deleted."""
        lake.put(MAIN, "x", b"1", if_absent=True)
        with pytest.raises(AlreadyExists, match="x"):
            lake.put(MAIN, "x", b"2", if_absent=True)
        assert text_at(lake, MAIN, "x") == "1"
        lake.delete(MAIN, ["x"])
        lake.put(MAIN, "x", b"3", if_absent=True)
        assert text_at(lake, MAIN, "x") == "3"

    def test_staged_seen_at_branch_only(self, lake: LakeStore) -> None:
        """What is staged shows at the branch's name, and not at `branch@`, `branch~0` or the commit."""
        before = lake.resolve(MAIN)
        lake.put(MAIN, "x", b"1")
        assert lake.stat(MAIN, "x").bytes == 1
        for ref in (f"{MAIN}@", f"{MAIN}~0", before):
            with pytest.raises(ObjectNotFound):
                lake.stat(ref, "x")
            assert paths_at(lake, ref) == []

    def test_staging_belongs_to_branch(self, lake: LakeStore) -> None:
        """What is staged on one branch is not seen on another."""
        lake.create_branch("other", MAIN)
        lake.put("other", "x", b"1")
        with pytest.raises(ObjectNotFound):
            lake.stat(MAIN, "x")

    def test_commit_is_permanent(self, lake: LakeStore) -> None:
        """A commit goes on showing what it held, whatever happens to the branch."""
        first = commit_files(lake, MAIN, {"x": "1", "y": "1"})
        commit_files(lake, MAIN, {"x": "2", "y": None})
        assert text_at(lake, first, "x") == "1"
        assert paths_at(lake, first) == ["x", "y"]
        assert paths_at(lake, MAIN) == ["x"]

    def test_commit_records(self, lake: LakeStore) -> None:
        """A commit keeps message, metadata and parent, and becomes the branch's head."""
        before = lake.resolve(MAIN)
        lake.put(MAIN, "x", b"1")
        made = lake.commit(MAIN, "add x", metadata={"run": "r1"})
        assert lake.resolve(MAIN) == made.id
        assert made.parents == (before,)
        assert lake.log(MAIN, limit=1) == [made]
        assert (made.message, dict(made.metadata)) == ("add x", {"run": "r1"})

    def test_commit_without_effect_is_refused(self, lake: LakeStore) -> None:
        """A commit that would change nothing is refused, unless `allow_empty` asks for it."""
        commit_files(lake, MAIN, {"x": "1"})
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "nothing")
        lake.put(MAIN, "y", b"1")
        lake.delete(MAIN, ["y"])
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "there and back")
        head = lake.resolve(MAIN)
        assert lake.commit(MAIN, "empty", allow_empty=True).parents == (head,)

    def test_metadata_is_identity(self, lake: LakeStore) -> None:
        """The same bytes with other metadata are a change."""
        lake.put(MAIN, "x", b"1", metadata={"k": "1"})
        first = lake.commit(MAIN, "one").id
        lake.put(MAIN, "x", b"1", metadata={"k": "2"})
        second = lake.commit(MAIN, "two").id
        assert lake.diff(first, second) == [Change("x", "changed")]

    def test_delete_absent_is_no_error(self, lake: LakeStore) -> None:
        """Deleting what is not there stages nothing."""
        lake.delete(MAIN, ["nothing/here"])
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "nothing")

    def test_reset_drops_staged_prefix(self, lake: LakeStore) -> None:
        """A reset throws away what is staged under its prefix, removals too, and nothing else."""
        commit_files(lake, MAIN, {"a/x": "1"})
        lake.delete(MAIN, ["a/x"])
        lake.put(MAIN, "a/y", b"1")
        lake.put(MAIN, "b", b"1")
        lake.reset(MAIN, "a/")
        assert paths_at(lake, MAIN) == ["a/x", "b"]
        lake.reset(MAIN)
        assert paths_at(lake, MAIN) == ["a/x"]

    def test_link_takes_object_over(self, lake: LakeStore) -> None:
        """A link stages an object of another ref, metadata and all, under a new path."""
        lake.put(MAIN, "x", b"1", metadata={"k": "v"})
        source = lake.commit(MAIN, "one").id
        lake.create_branch("other", MAIN)
        linked = lake.link("other", "y", source, "x")
        assert linked.path == "y"
        assert linked.digest == lake.stat(source, "x").digest
        assert dict(linked.metadata) == {"k": "v"}
        lake.commit("other", "link")
        assert text_at(lake, "other@", "y") == "1"

    def test_file_beside_folder(self, lake: LakeStore) -> None:
        """`a` and `a/b` are two objects."""
        commit_files(lake, MAIN, {"a": "file", "a/b": "inside"})
        assert text_at(lake, MAIN, "a") == "file"
        assert text_at(lake, MAIN, "a/b") == "inside"

    def test_missing_object_is_named(self, lake: LakeStore) -> None:
        """The error for a missing object names the path and the ref."""
        for read in (lake.stat, lake.open, lake.local_path):
            with pytest.raises(ObjectNotFound, match=r"no/such.*main"):
                read(MAIN, "no/such")


class ListingContract(LakeFixture):
    """Listing and comparing."""

    FILES = ("a", "a/b", "a/c/d", "b/e", "b/f", "ä", "z")

    @pytest.fixture
    def listed(self, lake: LakeStore) -> LakeStore:
        """Half of the files committed, half staged."""
        commit_files(lake, MAIN, dict.fromkeys(self.FILES[::2], "1"))
        for path in self.FILES[1::2]:
            lake.put(MAIN, path, b"1")
        return lake

    def test_list_in_byte_order(self, listed: LakeStore) -> None:
        """Objects come in the byte order of their paths, staged among committed."""
        assert paths_at(listed, MAIN) == sorted(self.FILES, key=str.encode)

    def test_list_prefix(self, listed: LakeStore) -> None:
        """A prefix is text, not a folder."""
        assert paths_at(listed, MAIN, prefix="a") == ["a", "a/b", "a/c/d"]
        assert paths_at(listed, MAIN, prefix="b/") == ["b/e", "b/f"]
        assert paths_at(listed, MAIN, prefix="nothing") == []

    def test_list_after(self, listed: LakeStore) -> None:
        """Listing begins above `after`, which need not exist."""
        assert paths_at(listed, MAIN, after="b/e") == ["b/f", "z", "ä"]
        assert paths_at(listed, MAIN, after="b/ee") == ["b/f", "z", "ä"]
        assert paths_at(listed, MAIN, prefix="a", after="a/b") == ["a/c/d"]

    def test_list_delimiter(self, listed: LakeStore) -> None:
        """With a delimiter, each folder comes once, in its place."""
        found = list(listed.list(MAIN, delimiter="/"))
        assert [entry.path for entry in found] == ["a", "a/", "b/", "z", "ä"]
        assert [isinstance(entry, CommonPrefix) for entry in found] == [False, True, True, False, False]
        assert paths_at(listed, MAIN, prefix="a/", delimiter="/") == ["a/b", "a/c/"]
        assert paths_at(listed, MAIN, delimiter="/", after="a/") == ["b/", "z", "ä"]

    def test_diff_two_dot(self, lake: LakeStore) -> None:
        """A two-dot diff says what is different on the right."""
        left = commit_files(lake, MAIN, {"same": "1", "gone": "1", "new": "1"})
        right = commit_files(lake, MAIN, {"gone": None, "new": "2", "more": "1"})
        wanted = [Change("gone", "removed"), Change("more", "added"), Change("new", "changed")]
        assert lake.diff(left, right) == wanted
        assert lake.diff(left, right, prefix="n") == [Change("new", "changed")]
        assert lake.diff(right, left, prefix="more") == [Change("more", "removed")]
        assert lake.diff(left, left) == []

    def test_diff_three_dot(self, lake: LakeStore) -> None:
        """A three-dot diff ignores what only the left changed, and marks conflicts."""
        commit_files(lake, MAIN, {"x": "1", "y": "1"})
        lake.create_branch("work", MAIN)
        commit_files(lake, "work", {"x": "work", "new": "1"})
        commit_files(lake, MAIN, {"x": "main", "y": "main"})
        found = lake.diff(MAIN, "work", mode="three_dot")
        assert found == [Change("new", "added"), Change("x", "conflict")]


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


class MergeContract(LakeFixture):
    """Merging and reverting."""

    @pytest.fixture
    def forked(self, lake: LakeStore) -> LakeStore:
        """`main` with x and y, and a branch `work` from there."""
        commit_files(lake, MAIN, {"x": "1", "y": "1"})
        lake.create_branch("work", MAIN)
        return lake

    def test_merge_takes_both_sides(self, forked: LakeStore) -> None:
        """What either side changed, added or removed is in the merge."""
        commit_files(forked, "work", {"x": "work", "new": "work"})
        commit_files(forked, MAIN, {"y": None, "other": "main"})
        heads = (forked.resolve(MAIN), forked.resolve("work"))
        made = forked.merge("work", MAIN, "publish", metadata={"run": "r1"})
        assert (made.parents, made.message, dict(made.metadata)) == (heads, "publish", {"run": "r1"})
        assert paths_at(forked, MAIN) == ["new", "other", "x"]
        assert text_at(forked, MAIN, "x") == "work"

    def test_merge_never_fast_forwards(self, forked: LakeStore) -> None:
        """A merge makes a commit, even where the branch could just move."""
        side = commit_files(forked, "work", {"x": "2"})
        made = forked.merge("work", MAIN, "merge")
        assert made.id != side
        assert made.parents[1] == side

    def test_merge_of_contained_source(self, forked: LakeStore) -> None:
        """There is nothing to merge from a branch that brings nothing."""
        with pytest.raises(NoChanges):
            forked.merge("work", MAIN, "nothing yet")
        commit_files(forked, "work", {"x": "2"})
        forked.merge("work", MAIN, "once")
        with pytest.raises(NoChanges):
            forked.merge("work", MAIN, "twice")

    def test_merge_conflict_names_paths(self, forked: LakeStore) -> None:
        """A conflict names its paths, and nothing has moved."""
        commit_files(forked, "work", {"x": "work", "y": None, "fine": "1"})
        head = commit_files(forked, MAIN, {"x": "main", "y": "main"})
        with pytest.raises(MergeConflict) as caught:
            forked.merge("work", MAIN, "merge")
        assert caught.value.paths == ["x", "y"]
        assert forked.resolve(MAIN) == head

    @pytest.mark.parametrize(
        ("strategy", "x", "paths"),
        [("source-wins", "work", ["fine", "x"]), ("dest-wins", "main", ["fine", "x", "y"])],
    )
    def test_merge_strategies(self, forked: LakeStore, strategy: str, x: str, paths: list[str]) -> None:
        """A strategy decides the conflicts and leaves the rest as it is."""
        commit_files(forked, "work", {"x": "work", "y": None, "fine": "1"})
        commit_files(forked, MAIN, {"x": "main", "y": "main"})
        forked.merge("work", MAIN, "merge", strategy=strategy)  # type: ignore[arg-type]
        assert text_at(forked, MAIN, "x") == x
        assert paths_at(forked, MAIN) == paths

    def test_same_change_is_no_conflict(self, forked: LakeStore) -> None:
        """Two sides that did the same agree."""
        commit_files(forked, "work", {"x": "2", "y": None, "new": "1"})
        commit_files(forked, MAIN, {"x": "2", "y": None})
        forked.merge("work", MAIN, "merge")
        assert paths_at(forked, MAIN) == ["new", "x"]

    def test_merge_wants_clean_destination(self, forked: LakeStore) -> None:
        """A destination with staged changes is refused; a source's staged changes stay where they are."""
        commit_files(forked, "work", {"x": "2"})
        forked.put(MAIN, "staged", b"1")
        with pytest.raises(UncommittedChanges, match="main"):
            forked.merge("work", MAIN, "merge")
        forked.reset(MAIN)
        forked.put("work", "later", b"1")
        forked.merge("work", MAIN, "merge")
        assert paths_at(forked, MAIN) == ["x", "y"]
        assert paths_at(forked, "work") == ["later", "x", "y"]

    def test_merge_again_starts_at_last_merge(self, forked: LakeStore) -> None:
        """The base of a second merge is the first one, so an earlier decision is not undone."""
        commit_files(forked, "work", {"x": "work"})
        forked.merge("work", MAIN, "first")
        commit_files(forked, MAIN, {"x": "decided"})
        commit_files(forked, "work", {"y": "work"})
        forked.merge("work", MAIN, "second")
        assert text_at(forked, MAIN, "x") == "decided"
        assert text_at(forked, MAIN, "y") == "work"

    def test_criss_cross_merge(self, forked: LakeStore) -> None:
        """Two branches that merged each other can be merged once more."""
        ours, theirs = (
            commit_files(forked, MAIN, {"x": "main"}),
            commit_files(forked, "work", {"y": "work"}),
        )
        forked.merge(theirs, MAIN, "over")
        forked.merge(ours, "work", "back")
        commit_files(forked, "work", {"new": "1"})
        forked.merge("work", MAIN, "again")
        assert [text_at(forked, MAIN, path) for path in ("new", "x", "y")] == ["1", "main", "work"]

    def test_revert(self, forked: LakeStore) -> None:
        """A revert undoes one commit and keeps the later ones."""
        bad = commit_files(forked, MAIN, {"x": "bad", "oops": "1"})
        head = commit_files(forked, MAIN, {"y": "later"})
        made = forked.revert(MAIN, bad)
        assert made.parents == (head,)
        assert paths_at(forked, MAIN) == ["x", "y"]
        assert (text_at(forked, MAIN, "x"), text_at(forked, MAIN, "y")) == ("1", "later")

    def test_revert_of_merge(self, forked: LakeStore) -> None:
        """A merge is undone relative to its first parent."""
        commit_files(forked, "work", {"x": "work"})
        commit_files(forked, MAIN, {"y": "main"})
        forked.merge("work", MAIN, "merge")
        forked.revert(MAIN, MAIN, parent=1)
        assert (text_at(forked, MAIN, "x"), text_at(forked, MAIN, "y")) == ("1", "main")

    def test_revert_conflict(self, forked: LakeStore) -> None:
        """What was changed again since cannot be reverted, nor over staged changes."""
        bad = commit_files(forked, MAIN, {"x": "bad"})
        commit_files(forked, MAIN, {"x": "changed again"})
        with pytest.raises(MergeConflict) as caught:
            forked.revert(MAIN, bad)
        assert caught.value.paths == ["x"]
        forked.put(MAIN, "staged", b"1")
        with pytest.raises(UncommittedChanges):
            forked.revert(MAIN, MAIN)


class LakeContract(ObjectContract, ListingContract, RefContract, MergeContract):
    """All of it."""
