"""Objects, staging and commits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from headrace.core.ports import MAIN, Change, LakeStore
from headrace.errors import (
    AlreadyExists,
    NoChanges,
    ObjectNotFound,
)
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


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

    def test_metadata_in_any_language(self, lake: LakeStore) -> None:
        """Metadata of objects and commits comes back as it was given, letter for letter."""
        metadata = {
            "made_by": "Žofie Ångström 山田",
            "note": 'two  words; a=b&c, "quoted" 100 %',
            "empty": "",
        }
        lake.put(MAIN, "x", b"1", metadata=metadata)
        assert dict(lake.stat(MAIN, "x").metadata) == metadata
        made = lake.commit(MAIN, "größer — “x”", metadata=metadata)
        assert dict(lake.stat(made.id, "x").metadata) == metadata
        assert lake.log(MAIN, limit=1) == [made]
        assert (made.message, dict(made.metadata)) == ("größer — “x”", metadata)

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
