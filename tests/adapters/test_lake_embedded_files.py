"""How the embedded lake takes files in, keeps them and hands them out."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.lake_embedded.intake import BATCH_FILES
from headrace.core.ports import MAIN
from headrace.errors import (
    AlreadyExists,
    InvalidName,
    LakeBusy,
    ObjectDamaged,
    ObjectNotFound,
)
from headrace.testing.lake import commit_files, objects_at, paths_at, text_at, write_files


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


def damage(lake: EmbeddedLake, ref: str, path: str, data: bytes) -> Path:
    file = lake.local_path(ref, path)
    file.chmod(0o600)
    file.write_bytes(data)
    return file


class TestFiles:
    def test_object_is_read_only(self, lake: EmbeddedLake) -> None:
        """A local path cannot be written to by accident."""
        lake.put(MAIN, "x", b"water")
        assert lake.local_path(MAIN, "x").stat().st_mode & 0o777 == 0o444

    def test_same_bytes_are_stored_once(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Three objects with the same bytes are one file, however they came in."""
        file = tmp_path / "file"
        file.write_bytes(b"water")
        lake.put(MAIN, "x", b"water")
        lake.put(MAIN, "y", file)
        lake.put(MAIN, "z", file, consume=True)
        assert len({lake.local_path(MAIN, path) for path in "xyz"}) == 1
        assert not file.exists()

    def test_large_file(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A file too large to be read at once is copied whole, and leaves no temporary file."""
        file = tmp_path / "large"
        file.write_bytes(os.urandom(3_000_001))
        for path in ("x", "y"):
            lake.put(MAIN, path, file)
        assert lake.local_path(MAIN, "x").read_bytes() == file.read_bytes()
        assert list((lake.root / "incoming").iterdir()) == []

    def test_consume_moves(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A consumed file keeps its inode: nothing was copied."""
        file = tmp_path / "file"
        file.write_bytes(b"water")
        inode = file.stat().st_ino
        lake.put(MAIN, "x", file, consume=True)
        assert lake.local_path(MAIN, "x").stat().st_ino == inode

    def test_consume_spares_other_names(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A hard link or a symlink is consumed by copying: the user's other name stays writable."""
        kept, linked, symbolic = tmp_path / "kept", tmp_path / "linked", tmp_path / "symbolic"
        kept.write_text("1")
        mode = kept.stat().st_mode
        linked.hardlink_to(kept)
        symbolic.symlink_to(kept)
        lake.put(MAIN, "x", linked, consume=True)
        lake.put(MAIN, "y", symbolic, consume=True)
        assert not linked.exists()
        assert not symbolic.is_symlink()
        assert kept.stat().st_mode == mode
        kept.write_text("2")
        assert text_at(lake, MAIN, "x") == text_at(lake, MAIN, "y") == "1"

    @pytest.mark.parametrize("data", [b"wader", b"", b"much longer than it was"])
    def test_damage_is_named(self, lake: EmbeddedLake, data: bytes) -> None:
        """Changed bytes, of the same length too and at once, are never handed out, alone or with others."""
        lake.put(MAIN, "a/x", b"water")
        lake.put(MAIN, "good", b"1")
        damage(lake, MAIN, "a/x", data)
        with pytest.raises(ObjectDamaged, match=r"a/x.*main"):
            lake.local_paths(MAIN, objects_at(lake, MAIN))
        lake.local_path(MAIN, "good").touch()
        with pytest.raises(ObjectDamaged, match=r"a/x.*main"):
            lake.local_paths(MAIN, objects_at(lake, MAIN))
        for read in (lake.open, lake.local_path, EmbeddedLake(lake.root).open):
            with pytest.raises(ObjectDamaged, match=r"a/x.*main"):
                read(MAIN, "a/x")

    def test_objects_are_sealed(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Every stored file has the same old time, so a write shows even within one tick of the clock."""
        for name, size, consume in (("s", 10, False), ("l", 2_000_000, False), ("c", 10, True)):
            file = tmp_path / name
            file.write_bytes(name.encode() * size)
            lake.put(MAIN, name, file, consume=consume)
            assert lake.local_path(MAIN, name).stat().st_mtime_ns == 946_684_800_000_000_000

    def test_missing_file_is_damage(self, lake: EmbeddedLake) -> None:
        """An object whose file is gone is damaged, which is not the same as absent."""
        lake.put(MAIN, "x", b"water")
        lake.local_path(MAIN, "x").unlink()
        with pytest.raises(ObjectDamaged, match="missing"):
            lake.open(MAIN, "x")

    def test_put_repairs_damage(self, lake: EmbeddedLake) -> None:
        """Putting the same bytes again repairs every object that has them."""
        first = commit_files(lake, MAIN, {"x": "water"})
        damage(lake, first, "x", b"wader")
        lake.put(MAIN, "other", b"water")
        assert text_at(lake, first, "x") == "water"

    def test_touched_file_is_hashed_once(self, lake: EmbeddedLake) -> None:
        """A file whose time changed and bytes did not is good, and its new state is remembered."""
        lake.put(MAIN, "x", b"water")
        file = lake.local_path(MAIN, "x")
        os.utime(file, ns=(1, 1))
        assert text_at(EmbeddedLake(lake.root), MAIN, "x") == "water"
        rows = sqlite3.connect(lake.root / "lake.db")
        assert rows.execute("SELECT mtime_ns FROM objects").fetchall() == [(1,)]
        rows.close()

    def test_absent_source(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A source that is not there is the operating system's error, and stages nothing."""
        with pytest.raises(FileNotFoundError):
            lake.put(MAIN, "x", tmp_path / "absent")
        with pytest.raises(ObjectNotFound):
            lake.stat(MAIN, "x")

    @pytest.mark.parametrize("path", ["", "a\0b", "\udcff"])
    def test_bad_paths(self, lake: EmbeddedLake, path: str) -> None:
        """A path that cannot be stored is refused."""
        with pytest.raises(InvalidName):
            lake.put(MAIN, path, b"1")

    def test_metadata_is_text(self, lake: EmbeddedLake) -> None:
        """Metadata that is no text is refused, and the error shows what to write."""
        with pytest.raises(InvalidName, match="'rows': '3'"):
            lake.put(MAIN, "x", b"1", metadata={"rows": 3})  # type: ignore[dict-item]

    def test_failed_put_keeps_source(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A consumed file that is refused is still there."""
        lake.put(MAIN, "x", b"1")
        file = tmp_path / "file"
        file.write_bytes(b"2")
        with pytest.raises(AlreadyExists):
            lake.put(MAIN, "x", file, if_absent=True, consume=True)
        assert file.read_bytes() == b"2"


class TestManyFiles:
    def test_more_than_one_batch(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Files that need several transactions, moved in, come back with their own bytes in order."""
        files = write_files(tmp_path / "in", {f"{n % 9}/{n}": str(n) for n in range(BATCH_FILES + 5)})
        inode = files["0/0"].stat().st_ino
        put = lake.put_many(MAIN, files, consume=True)
        assert [info.path for info in put] == list(files)
        assert lake.local_path(MAIN, "0/0").stat().st_ino == inode
        lake.commit(MAIN, "many")
        objects = objects_at(EmbeddedLake(lake.root), f"{MAIN}@")
        for info, path in zip(objects, lake.local_paths(MAIN, objects), strict=True):
            assert path.read_text() == info.path.partition("/")[2]
        assert list((tmp_path / "in").rglob("*/*")) == []

    def test_large_files_side_by_side(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Large files, hashed in threads, are copied whole; two that are the same become one."""
        files = {f"{n}": tmp_path / f"{n}" for n in range(4)}
        for n, file in enumerate(files.values()):
            file.write_bytes(bytes([n % 3]) * 2_000_001)
        lake.put_many(MAIN, files)
        for path, file in files.items():
            assert lake.local_path(MAIN, path).read_bytes() == file.read_bytes()
        assert lake.local_path(MAIN, "0") == lake.local_path(MAIN, "3")
        assert list((lake.root / "incoming").iterdir()) == []

    def test_one_source_for_two_paths(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A file named for two paths is consumed after both have it."""
        file = tmp_path / "file"
        file.write_text("water")
        lake.put_many(MAIN, {"x": file, "y": file}, consume=True)
        assert text_at(lake, MAIN, "x") == text_at(lake, MAIN, "y") == "water"
        assert not file.exists()

    @pytest.mark.parametrize("size", [3, 2_000_000])
    def test_failure_leaves_no_temporary_file(self, lake: EmbeddedLake, tmp_path: Path, size: int) -> None:
        """A directory among the files fails the call, and no copy of the others stays behind."""
        files = {f"{n}": tmp_path / f"{n}" for n in range(3)}
        for file in files.values():
            file.write_bytes(os.urandom(size))
        with pytest.raises(IsADirectoryError):
            lake.put_many(MAIN, {**files, "folder": tmp_path})
        assert list((lake.root / "incoming").iterdir()) == []
        assert paths_at(lake, MAIN) == []
        assert all(file.exists() for file in files.values())

    def test_bad_path_is_told_first(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A path that cannot be stored is refused before any file is read or staged."""
        with pytest.raises(InvalidName):
            lake.put_many(MAIN, {"x": tmp_path / "absent", "": tmp_path / "absent"})

    def test_a_busy_lake_consumes_nothing(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Where no writer's slot comes free in time, the files are still there for the next try."""
        files = write_files(tmp_path, {"x": "1", "y": "2"})
        lake.init()
        holder = sqlite3.connect(lake.root / "lake.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LakeBusy):
            EmbeddedLake(lake.root, busy_seconds=0.01).put_many(MAIN, files, consume=True)
        holder.close()
        lake.put_many(MAIN, files, consume=True)
        assert [text_at(lake, MAIN, path) for path in "xy"] == ["1", "2"]
