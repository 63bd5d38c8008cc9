"""Where two lakes part first: names that meet, changes that cancel out, nothing at all."""

from __future__ import annotations

import pytest

from headrace.core.ports import MAIN, Branch, LakeStore
from headrace.errors import AlreadyExists, InvalidName, NoChanges, ObjectNotFound, RefNotFound
from headrace.testing.lake.fixture import LakeFixture, commit_files


class CornerContract(LakeFixture):
    """Corners that a random comparison of lakes has found."""

    def test_merge_of_a_branch_into_itself(self, lake: LakeStore) -> None:
        """A branch contains itself already, so merging it into itself changes nothing."""
        commit_files(lake, MAIN, {"a": "1"})
        with pytest.raises(NoChanges):
            lake.merge(MAIN, MAIN, "merge")

    def test_revert_of_what_is_gone(self, lake: LakeStore) -> None:
        """A commit that has been reverted already cannot be reverted again."""
        commit_files(lake, MAIN, {"a": "1"})
        undone = commit_files(lake, MAIN, {"a": "2"})
        lake.revert(MAIN, undone)
        with pytest.raises(NoChanges):
            lake.revert(MAIN, undone)

    def test_revert_of_a_merge_that_is_gone(self, lake: LakeStore) -> None:
        """An undone merge cannot be undone again, also by its number and after later commits."""
        lake.create_branch("work", MAIN)
        commit_files(lake, "work", {"a": "1", "b": "1"})
        merged = lake.merge("work", MAIN, "merge")
        lake.revert(MAIN, MAIN)
        commit_files(lake, MAIN, {"c": "1"})
        head = lake.resolve(MAIN)
        for ref in (merged.id, f"{MAIN}~2"):
            with pytest.raises(NoChanges):
                lake.revert(MAIN, ref)
        assert lake.resolve(MAIN) == head

    def test_diff_of_equal_changes(self, lake: LakeStore) -> None:
        """What both sides changed alike is no part of a three-dot diff: a merge would not touch it."""
        commit_files(lake, MAIN, {"a": "1", "b": "1"})
        lake.create_branch("work", MAIN)
        for branch in (MAIN, "work"):
            commit_files(lake, branch, {"a": "2", "b": None, "c": "1"})
        assert list(lake.diff(MAIN, "work", mode="three_dot")) == []

    def test_one_name_for_a_branch_and_a_tag(self, lake: LakeStore) -> None:
        """A tag cannot take the name of a branch, nor a branch that of a tag."""
        lake.create_branch("work", MAIN)
        lake.tag("first", MAIN)
        with pytest.raises(AlreadyExists):
            lake.tag("work", MAIN)
        with pytest.raises(AlreadyExists):
            lake.create_branch("first", MAIN)

    @pytest.mark.parametrize("ref", ["first@", "main@~0", "main~0@", "main@@"])
    def test_committed_only_is_for_branches(self, lake: LakeStore, ref: str) -> None:
        """Only a branch has something staged to leave out, and `@` stands alone behind it."""
        lake.tag("first", MAIN)
        with pytest.raises(RefNotFound):
            lake.resolve(ref)

    def test_collection_of_a_branch_given_twice(self, lake: LakeStore) -> None:
        """Branches are collected once each and told by name, in whatever order they are given."""
        commit = lake.resolve(MAIN)
        for name in ("work", "side"):
            lake.create_branch(name, MAIN)
        found = lake.gc([Branch("work", commit), Branch("side", commit), Branch("work", commit)])
        assert found.branches == ("side", "work")

    def test_nothing_written_to_a_branch_that_is_not_there(self, lake: LakeStore) -> None:
        """An unknown branch is told even where there is nothing to write to it."""
        with pytest.raises(RefNotFound):
            lake.put_many("work", {})
        with pytest.raises(RefNotFound):
            lake.delete("work", [])

    def test_empty_path(self, lake: LakeStore) -> None:
        """Of a wrong ref and a wrong path, the ref is told."""
        with pytest.raises(RefNotFound):
            lake.stat("work", "")
        with pytest.raises(ObjectNotFound):
            lake.stat(MAIN, "")

    def test_longest_path(self, lake: LakeStore) -> None:
        """A path has at most 1,024 bytes, whatever script it is in."""
        lake.put(MAIN, "ä" * 512, b"1")
        assert lake.stat(MAIN, "ä" * 512).bytes == 1
        with pytest.raises(InvalidName, match="1025"):
            lake.put(MAIN, "ä" * 512 + "a", b"1")

    def test_empty_message(self, lake: LakeStore) -> None:
        """A commit wants a message."""
        lake.put(MAIN, "a", b"1")
        with pytest.raises(InvalidName, match="message"):
            lake.commit(MAIN, "")
