"""The embedded lake: the contract, and what only it promises."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN, Change, LakeStore
from headrace.errors import (
    AlreadyExists,
    InvalidName,
    LakeBusy,
    LakeUnavailable,
    NoChanges,
    ObjectDamaged,
    ObjectNotFound,
    RefNotFound,
    Unsupported,
)
from headrace.testing.lake import LakeContract, commit_files, paths_at, text_at


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


def damage(lake: EmbeddedLake, ref: str, path: str, data: bytes) -> Path:
    file = lake.local_path(ref, path)
    file.chmod(0o600)
    file.write_bytes(data)
    return file


class TestEmbeddedLake(LakeContract):
    """The embedded lake keeps the contract."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> LakeStore:
        return EmbeddedLake(tmp_path / "lake")


class TestOpening:
    def test_implements_port(self, lake: EmbeddedLake) -> None:
        """The class has every method of the port."""
        assert isinstance(lake, LakeStore)

    def test_construction_touches_nothing(self, lake: EmbeddedLake) -> None:
        """The folder is made at the first use, not before."""
        assert not lake.root.exists()
        lake.resolve(MAIN)
        assert lake.root.exists()

    def test_reopened_lake_is_the_same(self, lake: EmbeddedLake) -> None:
        """Another instance sees commits and staging."""
        head = commit_files(lake, MAIN, {"x": "1"})
        lake.put(MAIN, "y", b"1")
        again = EmbeddedLake(lake.root)
        assert again.resolve(MAIN) == head
        assert paths_at(again, MAIN) == ["x", "y"]

    def test_newer_format_is_refused(self, lake: EmbeddedLake) -> None:
        """A lake of a later format is left alone, and the error says what to do."""
        lake.resolve(MAIN)
        lake.close()
        connection = sqlite3.connect(lake.root / "lake.db")
        connection.execute("PRAGMA user_version=99")
        connection.close()
        with pytest.raises(Unsupported, match="newer headrace"):
            EmbeddedLake(lake.root).resolve(MAIN)

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A root that cannot be a folder is an error of the lake, which names it."""
        (tmp_path / "lake").write_text("not a folder")
        with pytest.raises(LakeUnavailable, match="lake"):
            EmbeddedLake(tmp_path / "lake").resolve(MAIN)

    def test_import_is_light(self) -> None:
        """Importing the lake loads no library from outside the standard one."""
        code = (
            "import sys, headrace.adapters.lake_embedded as lake; "
            "print(sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
        )
        found = subprocess.run([sys.executable, "-S", "-c", code], env=_environment(), **_CAPTURED)
        assert found.stdout.strip() == "['__main__', 'headrace']", found.stderr


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
        """Changed bytes, of the same length too and at once, are never handed out."""
        lake.put(MAIN, "a/x", b"water")
        damage(lake, MAIN, "a/x", data)
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


class TestRefs:
    def test_near_names_are_offered(self, lake: EmbeddedLake) -> None:
        """A mistyped branch, path or tag is answered with the near one."""
        commit_files(lake, MAIN, {"models/penguins.json": "1"})
        with pytest.raises(RefNotFound, match="did you mean main"):
            lake.resolve("mian")
        with pytest.raises(ObjectNotFound, match=r"did you mean models/penguins\.json"):
            lake.stat(MAIN, "models/pengiuns.json")

    def test_ambiguous_prefix(self, lake: EmbeddedLake) -> None:
        """A prefix of several commits is refused, and they are shown."""
        ids = [commit_files(lake, MAIN, {"x": str(count)}) for count in range(17)]
        firsts = [commit[0] for commit in ids]
        twice = next(first for first in firsts if firsts.count(first) > 1)
        with pytest.raises(RefNotFound, match="several commits"):
            lake.resolve(twice)

    def test_commit_id_wins_over_branch(self, lake: EmbeddedLake) -> None:
        """A full commit id means that commit, even if a branch takes the same name."""
        first = commit_files(lake, MAIN, {"x": "1"})
        commit_files(lake, MAIN, {"x": "2"})
        lake.create_branch(first, MAIN)
        assert text_at(lake, first, "x") == "1"

    def test_diff_sees_staged(self, lake: EmbeddedLake) -> None:
        """A two-dot diff at a branch's name includes what is staged, also what undoes a difference."""
        first = commit_files(lake, MAIN, {"x": "1", "y": "1"})
        commit_files(lake, MAIN, {"x": "2"})
        lake.put(MAIN, "x", b"1")
        lake.delete(MAIN, ["y"])
        assert lake.diff(first, MAIN) == [Change("y", "removed")]
        assert lake.diff(first, f"{MAIN}@") == [Change("x", "changed")]

    def test_revert_wants_a_parent(self, lake: EmbeddedLake) -> None:
        """A parent that the commit does not have is refused."""
        commit_files(lake, MAIN, {"x": "1"})
        with pytest.raises(RefNotFound, match="1 parents"):
            lake.revert(MAIN, MAIN, parent=2)

    def test_unknown_strategy(self, lake: EmbeddedLake) -> None:
        """A strategy that does not exist is refused, not taken for another one."""
        with pytest.raises(Unsupported, match="source-wins"):
            lake.merge(MAIN, MAIN, "merge", strategy="ours")  # type: ignore[arg-type]

    def test_revert_without_effect(self, lake: EmbeddedLake) -> None:
        """What is already undone cannot be undone again."""
        bad = commit_files(lake, MAIN, {"x": "1"})
        commit_files(lake, MAIN, {"x": None})
        with pytest.raises(NoChanges):
            lake.revert(MAIN, bad)


class TestCollection:
    def test_removes_unreachable_only(self, lake: EmbeddedLake) -> None:
        """Objects of deleted branches go; those of branches, tags, history and staging stay."""
        commit_files(lake, MAIN, {"x": "old"})
        commit_files(lake, MAIN, {"x": "new"})
        lake.create_branch("tagged", MAIN)
        lake.tag("keep", commit_files(lake, "tagged", {"y": "tagged"}))
        lake.create_branch("gone", MAIN)
        commit_files(lake, "gone", {"z": "gone", "x": "old"})
        lake.put(MAIN, "s", b"staged")
        lake.delete_branch("tagged")
        lake.delete_branch("gone")
        planned = lake.gc(dry_run=True)
        assert (planned.objects, planned.bytes) == (1, 4)
        assert lake.gc() == planned
        assert lake.gc().objects == 0
        assert text_at(lake, f"{MAIN}~1", "x") == "old"
        assert text_at(lake, "keep", "y") == "tagged"
        assert text_at(lake, MAIN, "s") == "staged"

    def test_collected_commit_is_not_found(self, lake: EmbeddedLake) -> None:
        """A commit that was collected is gone as a ref, for an instance that had read it too."""
        other = EmbeddedLake(lake.root)
        lake.create_branch("gone", MAIN)
        commit = commit_files(lake, "gone", {"z": "gone"})
        assert text_at(other, commit, "z") == "gone"
        lake.delete_branch("gone")
        lake.gc()
        for reader in (lake, other):
            with pytest.raises(RefNotFound):
                reader.stat(commit, "z")

    def test_beside_puts(self, lake: EmbeddedLake) -> None:
        """Collecting while others put the very bytes that were garbage loses none of them."""
        lake.create_branch("work", MAIN)

        def put() -> None:
            for count in range(60):
                lake_of_thread.put("work", f"{count}", b"%d" % (count % 3))
                lake_of_thread.reset("work")

        lake_of_thread = EmbeddedLake(lake.root)
        thread = threading.Thread(target=put)
        thread.start()
        while thread.is_alive():
            lake.gc()
        thread.join()
        commit_files(lake, "work", {"a": "0", "b": "1", "c": "2"})
        lake.gc()
        assert [text_at(lake, "work", path) for path in "abc"] == ["0", "1", "2"]


class TestSharing:
    def test_threads(self, lake: EmbeddedLake) -> None:
        """Threads that share a lake lose nothing."""
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                lake.create_branch(name, MAIN)
                for count in range(10):
                    commit_files(lake, name, {f"{name}/{count}": name})
                    text_at(lake, name, f"{name}/{count}")
                lake.merge(name, MAIN, name)
            except BaseException as failure:  # told by the assertion below
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(f"t{count}",)) for count in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(paths_at(lake, MAIN)) == 60

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
    def test_child_processes(self, lake: EmbeddedLake, method: str) -> None:
        """A lake in use can be handed to a child, and both go on using it."""
        lake.put(MAIN, "parent", b"1")
        child = multiprocessing.get_context(method).Process(target=_put_from_child, args=(lake,))
        child.start()
        child.join()
        assert child.exitcode == 0
        lake.commit(MAIN, "both")
        assert paths_at(lake, f"{MAIN}@") == ["child", "parent"]

    def test_busy_is_told(self, lake: EmbeddedLake) -> None:
        """A writer that waited in vain says so, did nothing, and succeeds later; readers never wait."""
        lake.put(MAIN, "x", b"1")
        holder = sqlite3.connect(lake.root / "lake.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        hasty = EmbeddedLake(lake.root, busy_seconds=0.01)
        with pytest.raises(LakeBusy, match="run the same command again"):
            hasty.put(MAIN, "y", b"1")
        assert paths_at(hasty, MAIN) == ["x"]
        holder.execute("ROLLBACK")
        holder.close()
        hasty.put(MAIN, "y", b"1")
        assert paths_at(lake, MAIN) == ["x", "y"]

    def test_list_is_a_snapshot(self, lake: EmbeddedLake) -> None:
        """A listing shows what was there when it was asked for."""
        commit_files(lake, MAIN, {f"{count:03d}": "1" for count in range(200)})
        listing = lake.list(MAIN)
        next(listing)
        commit_files(lake, MAIN, {"150": None, "999": "1"})
        assert sum(1 for _ in listing) == 199


def _put_from_child(lake: EmbeddedLake) -> None:
    lake.put(MAIN, "child", b"2")


_CAPTURED = {"capture_output": True, "text": True, "check": False}


def _environment() -> dict[str, str]:
    import headrace.errors

    return {**os.environ, "PYTHONPATH": str(Path(headrace.errors.__file__).parents[1])}
