"""Listing."""

from __future__ import annotations

import pytest

from headrace.core.ports import MAIN, Change, CommonPrefix, LakeStore
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at


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
