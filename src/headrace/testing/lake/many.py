"""Many objects in one call: taken in, handed out, deleted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from headrace.core.ports import MAIN, LakeStore, ObjectInfo
from headrace.errors import NoChanges, ObjectNotFound, RefNotFound
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


def write_files(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Write files under `folder` and return them by the paths that they are to have in the lake."""
    files = {}
    for path, text in texts.items():
        files[path] = folder / path
        files[path].parent.mkdir(parents=True, exist_ok=True)
        files[path].write_text(text, encoding="utf-8")
    return files


def objects_at(lake: LakeStore, ref: str, prefix: str = "") -> list[ObjectInfo]:
    return [found for found in lake.list(ref, prefix) if isinstance(found, ObjectInfo)]


class ManyContract(LakeFixture):
    """`put_many`, `local_paths`, and `delete` of many."""

    def test_put_many_describes_in_order(self, lake: LakeStore, tmp_path: Path) -> None:
        """The results come in the order of the files given, each as `stat` tells it."""
        files = write_files(tmp_path, {"z": "1", "data/b/c.csv": "22", "data/a": "", "ä/ö ü": "333"})
        put = lake.put_many(MAIN, files)
        assert [info.path for info in put] == list(files)
        assert [info.bytes for info in put] == [1, 2, 0, 3]
        assert put[1].digest == f"sha256:{hashlib.sha256(b'22').hexdigest()}"
        assert list(put) == [lake.stat(MAIN, path) for path in files]
        assert text_at(lake, MAIN, "ä/ö ü") == "333"

    def test_put_many_stages(self, lake: LakeStore, tmp_path: Path) -> None:
        """What is put is staged: seen at the branch, gone with a reset, permanent with a commit."""
        files = write_files(tmp_path, {f"{count % 7}/{count}": str(count) for count in range(60)})
        lake.put_many(MAIN, files)
        assert paths_at(lake, f"{MAIN}@") == []
        lake.reset(MAIN)
        assert paths_at(lake, MAIN) == []
        lake.put_many(MAIN, files)
        commit = lake.commit(MAIN, "sixty").id
        assert {path: text_at(lake, commit, path) for path in paths_at(lake, commit)} == {
            f"{count % 7}/{count}": str(count) for count in range(60)
        }

    def test_put_many_is_put(self, lake: LakeStore, tmp_path: Path) -> None:
        """An object is the same whether it came alone or with others; one that is there is no change."""
        files = write_files(tmp_path, {"x": "1", "y": "1"})
        for path, file in files.items():
            lake.put(MAIN, path, file)
        lake.commit(MAIN, "one by one")
        lake.put_many(MAIN, files)
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "together")

    def test_put_many_copies(self, lake: LakeStore, tmp_path: Path) -> None:
        """Without `consume` the files stay as they were, and later writes do not reach the lake."""
        files = write_files(tmp_path, {"x": "before", "a/y": "before"})
        mode = files["x"].stat().st_mode
        lake.put_many(MAIN, files)
        for file in files.values():
            file.write_text("after")
        assert [text_at(lake, MAIN, path) for path in files] == ["before", "before"]
        assert files["x"].stat().st_mode == mode

    def test_put_many_consumes(self, lake: LakeStore, tmp_path: Path) -> None:
        """Consumed files are in the lake and no longer outside, also those with the same bytes."""
        files = write_files(tmp_path, {"x": "same", "a/y": "same", "z": "other"})
        lake.put_many(MAIN, files, consume=True)
        assert [text_at(lake, MAIN, path) for path in files] == ["same", "same", "other"]
        assert [file for file in files.values() if file.exists()] == []

    def test_put_many_of_nothing(self, lake: LakeStore) -> None:
        """No files are no objects and no change."""
        assert list(lake.put_many(MAIN, {})) == []
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "nothing")

    def test_put_many_on_unknown_branch(self, lake: LakeStore, tmp_path: Path) -> None:
        """A branch that does not exist is told by name, and no file is consumed."""
        files = write_files(tmp_path, {"x": "1", "y": "2"})
        with pytest.raises(RefNotFound, match="nope"):
            lake.put_many("nope", files, consume=True)
        assert [file.read_text() for file in files.values()] == ["1", "2"]

    def test_put_many_with_missing_file(self, lake: LakeStore, tmp_path: Path) -> None:
        """A source that is not there is the operating system's error; a reset leaves nothing behind."""
        files = write_files(tmp_path, {"x": "1"}) | {"gone": tmp_path / "gone"}
        with pytest.raises(FileNotFoundError, match="gone"):
            lake.put_many(MAIN, files)
        lake.reset(MAIN)
        assert paths_at(lake, MAIN) == []
        with pytest.raises(ObjectNotFound):
            lake.stat(MAIN, "gone")

    def test_local_paths_in_order(self, lake: LakeStore) -> None:
        """The local files come in the order of the objects given, whatever it is, and hold their bytes."""
        commit = commit_files(lake, MAIN, {f"d/{count}": str(count % 5) for count in range(20)})
        objects = objects_at(lake, commit)[::-1]
        found = lake.local_paths(commit, objects)
        assert [path.read_text() for path in found] == [str(int(i.path[2:]) % 5) for i in objects]
        assert lake.local_paths(commit, [lake.stat(commit, "d/7")] * 2)[1].read_text() == "2"
        assert list(lake.local_paths(commit, [])) == []

    def test_local_paths_of_staged(self, lake: LakeStore) -> None:
        """At a branch's name, staged objects have local files too."""
        commit_files(lake, MAIN, {"x": "1"})
        lake.put(MAIN, "y", b"2")
        found = lake.local_paths(MAIN, objects_at(lake, MAIN))
        assert [path.read_text() for path in found] == ["1", "2"]

    def test_delete_many(self, lake: LakeStore) -> None:
        """One call deletes 1,500 paths, also where most of them are not there."""
        kept, there = "f1500", ("f0000", "f0999", "f1000", "f1001", "f1499")
        commit_files(lake, MAIN, dict.fromkeys((*there, kept), "1"))
        lake.delete(MAIN, (f"f{count:04d}" for count in range(1500)))
        assert paths_at(lake, MAIN) == [kept]
        lake.commit(MAIN, "deleted")
        assert paths_at(lake, f"{MAIN}@") == [kept]
