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
from headrace.core.digest import digest_bytes
from headrace.core.ports import MAIN, Branch, Change, GcReport, LakeStore
from headrace.errors import (
    LakeBusy,
    LakeUnavailable,
    NoChanges,
    ObjectNotFound,
    RefNotFound,
    Unsupported,
)
from headrace.testing.lake import LakeContract, commit_files, paths_at, text_at, write_files


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


class TestEmbeddedLake(LakeContract):
    """The embedded lake keeps the contract."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> LakeStore:
        return EmbeddedLake(tmp_path / "lake")


class TestEmbeddedLakeOnASharedDisk(LakeContract):
    """Without a write-ahead log it keeps the contract too."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> LakeStore:
        return EmbeddedLake(tmp_path / "lake", shared_disk=True)


class TestOpening:
    def test_implements_port(self, lake: EmbeddedLake) -> None:
        """The class has every method of the port."""
        assert isinstance(lake, LakeStore)

    def test_reading_touches_nothing(self, lake: EmbeddedLake) -> None:
        """The folder is made at the first write; until then a reader sees what a new lake holds."""
        first = lake.resolve(MAIN)
        assert list(lake.list(MAIN)) == []
        assert [commit.id for commit in lake.log(MAIN)] == [first]
        assert not lake.root.exists()
        lake.put(MAIN, "x", b"1")
        assert lake.commit(MAIN, "commit").parents == (first,)
        assert lake.root.exists()

    def test_a_lake_that_another_made_is_seen(self, lake: EmbeddedLake) -> None:
        """Who has looked at nothing sees the lake as soon as it is there."""
        lake.resolve(MAIN)
        head = commit_files(EmbeddedLake(lake.root), MAIN, {"x": "1"})
        assert lake.resolve(MAIN) == head

    def test_reopened_lake_is_the_same(self, lake: EmbeddedLake) -> None:
        """Another instance sees commits and staging."""
        head = commit_files(lake, MAIN, {"x": "1"})
        lake.put(MAIN, "y", b"1")
        again = EmbeddedLake(lake.root)
        assert again.resolve(MAIN) == head
        assert paths_at(again, MAIN) == ["x", "y"]

    def test_init_tells_who_made_the_lake(self, lake: EmbeddedLake) -> None:
        """The first `init` makes the lake; no later one does, nor one after another first use."""
        again, used = EmbeddedLake(lake.root), EmbeddedLake(lake.root.parent / "used")
        assert lake.init() is True
        assert [lake.init(), again.init()] == [False, False]
        assert [branch.name for branch in again.branches()] == [MAIN]
        used.put(MAIN, "x", b"1")
        assert used.init() is False

    def test_a_lake_on_a_shared_disk_has_no_log(self, lake: EmbeddedLake) -> None:
        """A lake that was made for one machine is changed once, and stays so for whoever opens it."""
        commit = commit_files(lake, MAIN, {"x": "1"})
        assert lake.root.joinpath("lake.db-wal").exists()
        with pytest.raises(LakeBusy):  # somebody has it open
            EmbeddedLake(lake.root, 0.1, shared_disk=True).resolve(MAIN)
        lake._database.close()
        assert EmbeddedLake(lake.root, shared_disk=True).resolve(MAIN) == commit
        commit_files(lake, MAIN, {"x": "2"})
        assert not lake.root.joinpath("lake.db-wal").exists()

    def test_newer_format_is_refused(self, lake: EmbeddedLake) -> None:
        """A lake of a later format is left alone, and the error says what to do."""
        lake.init()
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

    def test_plan_and_collection_agree_on_shared_bytes(self, lake: EmbeddedLake) -> None:
        """Bytes that two branches hold go with the second of them, and a dry run knows which."""
        branches = []
        for name in ("a", "b"):
            lake.create_branch(name, MAIN)
            branches.append(Branch(name, commit_files(lake, name, {"x": "shared", name: f"of {name}"})))
        for doomed, objects in ((branches[:1], 1), (branches, 2)):
            planned = lake.gc(doomed, dry_run=True)
            assert planned.objects == objects + (doomed is branches)
        assert lake.gc(branches[:1]).bytes == len("of a")
        assert lake.gc(branches) == GcReport(
            branches=("b",),
            objects=2,
            bytes=len("shared" + "of b"),
            digests=tuple(sorted(digest_bytes(data) for data in (b"shared", b"of b"))),
        )

    def test_local_path_outlives_its_branch(self, lake: EmbeddedLake) -> None:
        """A local file stays while any ref reaches it, and goes with a collection after the last."""
        lake.create_branch("a", MAIN)
        commit = commit_files(lake, "a", {"x": "1"})
        lake.tag("t", "a")
        path = lake.local_path("a", "x")
        lake.gc([Branch("a", commit)])
        assert path.read_text() == "1"
        lake.delete_tag("t")
        lake.gc()
        assert not path.exists()

    def test_beside_puts(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Collecting while others put the very bytes that were garbage loses none of them."""
        files = write_files(tmp_path / "files", {f"many/{count}": str(count % 4) for count in range(8)})
        lake.create_branch("work", MAIN)

        def put() -> None:
            for count in range(60):
                lake_of_thread.put("work", f"{count}", b"%d" % (count % 3))
                lake_of_thread.put_many("work", files)
                lake_of_thread.reset("work")

        lake_of_thread = EmbeddedLake(lake.root)
        thread = threading.Thread(target=put)
        thread.start()
        while thread.is_alive():
            lake.gc()
        thread.join()
        commit_files(lake, "work", {"a": "0", "b": "1", "c": "2"})
        lake.put_many("work", files)
        lake.gc()
        assert [text_at(lake, "work", path) for path in files] == ["0", "1", "2", "3"] * 2
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
