"""Garbage collection."""

from __future__ import annotations

import hashlib

import pytest

from headrace.core.ports import MAIN, Branch, GcReport, LakeStore
from headrace.errors import ProtectedRef, RefNotFound
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


def check_bytes(report: GcReport, *contents: str) -> None:
    """These bytes and no others went, or the server has yet to take them.

    The bytes of a lake on a server are the server's to delete (lakeFS does it in a job of its own):
    such a lake reports none, and says what is left to do.
    """
    found = (report.objects, report.bytes, report.digests)
    if report.kept_by_server:
        assert found == (0, 0, ())
        return
    digests = sorted(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in contents)
    assert found == (len(contents), sum(len(text.encode()) for text in contents), tuple(digests))


class CollectionContract(LakeFixture):
    """`gc`: branches, and the bytes that nothing reaches."""

    @pytest.fixture
    def stale(self, lake: LakeStore) -> Branch:
        """A branch `stale` with a commit of its own beside what `main` has, and something staged."""
        commit_files(lake, MAIN, {"x": "main"})
        lake.create_branch("stale", MAIN)
        commit = commit_files(lake, "stale", {"own": "only here", "too": "main"})
        lake.put("stale", "staged", b"scratch")
        return Branch("stale", commit)

    def test_gc_deletes_branches(self, lake: LakeStore, stale: Branch) -> None:
        """A branch given at its commit goes, with what only it reached; what others reach stays."""
        report = lake.gc([stale])
        assert report.branches == ("stale",)
        check_bytes(report, "only here", "scratch")
        assert [branch.name for branch in lake.branches()] == [MAIN]
        for call in (lake.resolve, lake.delete_branch):
            with pytest.raises(RefNotFound, match="stale"):
                call("stale")
        assert text_at(lake, MAIN, "x") == "main"
        check_bytes(lake.gc())

    def test_gc_dry_run_is_exact(self, lake: LakeStore, stale: Branch) -> None:
        """A dry run removes nothing and reports exactly what the real run then does."""
        planned = lake.gc([stale], dry_run=True)
        assert planned.branches == ("stale",)
        assert text_at(lake, "stale", "own") == "only here"
        assert text_at(lake, "stale", "staged") == "scratch"
        assert lake.gc([stale]) == planned

    def test_gc_leaves_moved_branch(self, lake: LakeStore, stale: Branch) -> None:
        """A branch that has moved since it was looked at stays, and so do its objects."""
        commit_files(lake, "stale", {"later": "1"})
        for dry_run in (True, False):
            report = lake.gc([stale, Branch("never", stale.commit)], dry_run=dry_run)
            assert report.branches == ()
            check_bytes(report)
        assert text_at(lake, "stale", "own") == "only here"
        assert text_at(lake, "stale", "later") == "1"

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_gc_refuses_main(self, lake: LakeStore, stale: Branch, dry_run: bool) -> None:
        """`main` among the branches is refused before any of them goes."""
        with pytest.raises(ProtectedRef, match=MAIN):
            lake.gc([stale, Branch(MAIN, lake.resolve(MAIN))], dry_run=dry_run)
        assert text_at(lake, "stale", "own") == "only here"

    def test_gc_keeps_what_main_reaches(self, lake: LakeStore, stale: Branch) -> None:
        """The commits of a merged branch stay readable by id when the branch is gone."""
        lake.merge("stale", MAIN, "merge")
        check_bytes(lake.gc([stale]), "scratch")
        assert text_at(lake, stale.commit, "own") == "only here"
        assert text_at(lake, MAIN, "own") == "only here"

    def test_gc_keeps_tagged(self, lake: LakeStore, stale: Branch) -> None:
        """A tag keeps a commit, whatever becomes of its branch."""
        lake.tag("kept", "stale")
        check_bytes(lake.gc([stale]), "scratch")
        assert text_at(lake, "kept", "own") == "only here"

    def test_gc_keeps_staged(self, lake: LakeStore) -> None:
        """What is staged on a branch that stays is never collected."""
        lake.put(MAIN, "staged", b"1")
        check_bytes(lake.gc())
        assert text_at(lake, MAIN, "staged") == "1"

    def test_gc_of_many_branches(self, lake: LakeStore) -> None:
        """Branches come in any iterable; the report names them in order."""
        names = ["c", "a", "b"]
        for name in names:
            lake.create_branch(name, MAIN)
        report = lake.gc(branch for branch in lake.branches() if branch.name in names)
        assert report.branches == ("a", "b", "c")
        assert [branch.name for branch in lake.branches()] == [MAIN]

    def test_gc_frees_the_name(self, lake: LakeStore, stale: Branch) -> None:
        """A collected branch's name may be used again, and brings nothing back."""
        lake.gc([stale])
        lake.create_branch("stale", MAIN)
        assert paths_at(lake, "stale") == ["x"]
