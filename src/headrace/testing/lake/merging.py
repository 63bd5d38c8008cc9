"""Diff, merge and revert."""

from __future__ import annotations

import pytest

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import (
    MergeConflict,
    NoChanges,
    UncommittedChanges,
)
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


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

    def test_merge_conflict_leaves_source(self, forked: LakeStore) -> None:
        """After a conflict the source branch is as it was, and can be mended and merged."""
        side = commit_files(forked, "work", {"x": "work", "new": "1"})
        commit_files(forked, MAIN, {"x": "main"})
        with pytest.raises(MergeConflict):
            forked.merge("work", MAIN, "merge")
        assert forked.resolve("work") == side
        assert paths_at(forked, "work") == ["new", "x", "y"]
        assert text_at(forked, "work", "x") == "work"
        commit_files(forked, "work", {"x": "1"})
        forked.merge("work", MAIN, "again")
        assert (text_at(forked, MAIN, "x"), text_at(forked, MAIN, "new")) == ("main", "1")

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
