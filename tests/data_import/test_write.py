"""Import on the real lake: written on a branch, published by one merge, or nothing at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.schema_pandera import PanderaChecker
from headrace.core.ports import MAIN, CommonPrefix, ObjectInfo
from headrace.data_import import (
    BRANCH_PREFIX,
    ImportConflict,
    ImportFailed,
    ImportReport,
    import_data,
)
from headrace.errors import LakeBusy, MergeConflict, UncommittedChanges
from headrace.testing.lake import commit_files, paths_at, text_at, write_files


class HookedLake(EmbeddedLake):
    """Does something of the test's just before one method works."""

    def __init__(self, root: Path, method: str, hook: Callable[[], object]) -> None:
        super().__init__(root)
        self.method = method
        self.hook = hook

    def _before(self, method: str) -> None:
        if method == self.method:
            self.hook()

    def put_many(self, *args: Any, **kwargs: Any) -> Any:
        self._before("put_many")
        return super().put_many(*args, **kwargs)

    def commit(self, *args: Any, **kwargs: Any) -> Any:
        self._before("commit")
        return super().commit(*args, **kwargs)

    def merge(self, *args: Any, **kwargs: Any) -> Any:
        self._before("merge")
        return super().merge(*args, **kwargs)


def raises(*errors: BaseException) -> Callable[[], None]:
    """Return a hook that raises one error at each call, and then no more."""
    left = list(errors)

    def hook() -> None:
        if left:
            raise left.pop(0)

    return hook


class TestPublishing:
    def test_a_folder_goes_in_by_one_merge(self, lake: EmbeddedLake, source: Path) -> None:
        """Every file is on `main` below `dest`, by one merge that says where it came from."""
        before = lake.resolve(MAIN)
        report = import_data(lake, source, "data/birds", message="first birds", metadata={"who": "me"})
        names = ["a.csv", "more/b.csv", "notes.txt"]
        assert paths_at(lake, MAIN) == [f"data/birds/{name}" for name in names]
        assert text_at(lake, MAIN, "data/birds/more/b.csv") == "mass\n3\n"
        head = lake.log(MAIN, limit=1)[0]
        assert head.parents[0] == before
        assert (head.message, head.metadata["who"], head.metadata["source"]) == ("first birds", "me", "birds")
        assert report.branch == BRANCH_PREFIX + head.metadata["import"]
        assert [branch.name for branch in lake.branches()] == [MAIN]
        assert report == ImportReport(
            commit=head.id,
            branch=report.branch,
            added=("data/birds/a.csv", "data/birds/notes.txt", "data/birds/more/b.csv"),
            changed=(),
            removed=(),
            unchanged=0,
            bytes=21,
        )
        assert source.joinpath("a.csv").read_text() == "mass\n1\n2\n"

    def test_the_message_names_source_and_place(
        self, lake: EmbeddedLake, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a message the log still tells what came in, also for the folder one stands in."""
        monkeypatch.chdir(source)
        import_data(lake, Path(), "data/birds")
        assert lake.log(MAIN, limit=1)[0].message == "import birds into data/birds"

    def test_a_second_import_changes_nothing(self, lake: EmbeddedLake, source: Path) -> None:
        """The same data once more makes no commit and no branch, even with newer file times."""
        first = import_data(lake, source, "data/birds")
        source.joinpath("a.csv").touch()
        again = import_data(lake, source, "data/birds", delete=True)
        assert not again.has_changes
        assert again == replace(first, branch="", added=(), unchanged=3, bytes=0)
        assert lake.resolve(MAIN) == first.commit

    def test_only_what_differs_is_written(self, lake: EmbeddedLake, source: Path) -> None:
        """New and changed files go in, also one of the same size; what the folder lacks stays."""
        import_data(lake, source, "data/birds")
        write_files(source, {"a.csv": "mass\n1\n9\n", "c.csv": "mass\n4\n"})
        source.joinpath("notes.txt").unlink()
        report = import_data(lake, source, "data/birds")
        assert (report.added, report.changed) == (("data/birds/c.csv",), ("data/birds/a.csv",))
        assert (report.removed, report.unchanged, report.bytes) == ((), 1, 16)
        changed = [change.path for change in lake.diff(f"{report.commit}~1", report.commit)]
        assert changed == ["data/birds/a.csv", "data/birds/c.csv"]
        assert text_at(lake, MAIN, "data/birds/notes.txt") == "hello"

    def test_delete_makes_a_mirror(self, lake: EmbeddedLake, source: Path) -> None:
        """With `delete` the objects that the folder lacks go, and none beside `dest/`."""
        commit_files(lake, MAIN, {"data/birds-old/x": "1", "data/birds": "a file", "data/birds/z/x": "1"})
        import_data(lake, source, "data/birds")
        source.joinpath("notes.txt").unlink()
        report = import_data(lake, source, "data/birds", delete=True)
        assert report.removed == ("data/birds/notes.txt", "data/birds/z/x")
        assert report.has_changes
        assert paths_at(lake, MAIN) == [
            "data/birds",
            "data/birds-old/x",
            "data/birds/a.csv",
            "data/birds/more/b.csv",
        ]

    def test_one_file_goes_to_dest_itself(self, lake: EmbeddedLake, source: Path) -> None:
        """A file becomes one object of the given path, and removes nothing below it."""
        commit_files(lake, MAIN, {"data/a.csv/odd": "1"})
        report = import_data(lake, source / "a.csv", "/data/a.csv", delete=True)
        assert report.added == ("data/a.csv",)
        assert paths_at(lake, MAIN) == ["data/a.csv", "data/a.csv/odd"]
        assert not import_data(lake, source / "a.csv", "data/a.csv").has_changes

    @pytest.mark.parametrize("dest", ["raw/two", "raw/two/", "raw/v1.2/"])
    def test_one_file_goes_into_a_folder(self, dest: str, lake: EmbeddedLake, source: Path) -> None:
        """A slash says that DEST is one, and a name without a suffix is none for a file that has one."""
        report = import_data(lake, source / "a.csv", dest)
        assert report.added == (f"{dest.rstrip('/')}/a.csv",)
        assert lake.log(MAIN, limit=1)[0].message.endswith(f"into {dest.rstrip('/')}/a.csv")

    def test_foreign_objects_are_compared_by_their_checksum(self, lake: EmbeddedLake, source: Path) -> None:
        """An md5 shows that a file is there; after an ETag it is written, and the lake may find it equal."""
        first = import_data(lake, source, "data/birds").commit

        class ForeignLake(EmbeddedLake):
            def list(self, *args: Any, **kwargs: Any) -> Iterator[ObjectInfo | CommonPrefix]:
                for info in super().list(*args, **kwargs):
                    digest = f"md5:{hashlib.md5(source.joinpath('a.csv').read_bytes()).hexdigest()}"
                    is_a = info.path.endswith("a.csv")
                    yield replace(info, digest=digest if is_a else "etag:0")  # type: ignore[type-var]

        changed = ["data/birds/more/b.csv", "data/birds/notes.txt"]
        report = import_data(ForeignLake(lake.root), source, "data/birds")
        assert (report.commit, report.has_changes, report.unchanged, report.branch) == (first, False, 3, "")
        assert [branch.name for branch in lake.branches()] == [MAIN]
        source.joinpath("more/b.csv").write_text("mass\n5\n")
        report = import_data(ForeignLake(lake.root), source, "data/birds")
        assert (sorted(report.changed), report.unchanged) == (changed, 1)


class TestRaces:
    def test_main_moves_elsewhere(self, lake: EmbeddedLake, source: Path) -> None:
        """What others publish meanwhile stays, and the import lands on top of it."""
        lake.init()
        hooked = HookedLake(lake.root, "merge", lambda: commit_files(lake, MAIN, {"other": "1"}))
        report = import_data(hooked, source, "data")
        assert lake.resolve(MAIN) == report.commit
        assert text_at(lake, MAIN, "other") == "1"
        assert text_at(lake, MAIN, "data/notes.txt") == "hello"

    def test_a_conflict_leaves_the_branch(self, lake: EmbeddedLake, source: Path) -> None:
        """Paths that `main` changed too are named; `main` keeps its own, the branch is there to see."""
        lake.init()
        theirs = {"data/notes.txt": "theirs", "data/a.csv": "theirs"}
        hooked = HookedLake(lake.root, "merge", lambda: commit_files(lake, MAIN, dict(theirs)))
        with pytest.raises(ImportConflict, match="Import again") as caught:
            import_data(hooked, source, "data")
        assert isinstance(caught.value, MergeConflict)
        assert caught.value.paths == sorted(theirs)
        assert {path: text_at(lake, MAIN, path) for path in paths_at(lake, MAIN)} == theirs
        assert text_at(lake, caught.value.branch, "data/notes.txt") == "hello"
        assert text_at(lake, import_data(lake, source, "data").commit, "data/notes.txt") == "hello"

    def test_a_busy_lake_is_tried_again(self, lake: EmbeddedLake, source: Path) -> None:
        """A merge that could not get the lake is tried again, and lands once."""
        busy = LakeBusy("another writer")
        report = import_data(HookedLake(lake.root, "merge", raises(busy, busy)), source, "data")
        own = [commit.id for commit in lake.log(MAIN, first_parent=True)]
        assert own[:-1] == [report.commit]

    @pytest.mark.parametrize("method", ["put_many", "commit", "merge"])
    def test_an_interrupt_leaves_nothing(
        self, lake: EmbeddedLake, source: Path, method: str, untouched: Callable[[], bool]
    ) -> None:
        """Ctrl-C at any step before the merge leaves `main` and no branch."""
        with pytest.raises(KeyboardInterrupt):
            import_data(HookedLake(lake.root, method, raises(KeyboardInterrupt())), source, "data")
        assert untouched()

    def test_somebody_works_on_main(
        self, lake: EmbeddedLake, source: Path, untouched: Callable[[], bool]
    ) -> None:
        """Changes staged on `main` are not taken into the import, and not lost."""
        lake.put(MAIN, "staged", b"1")
        with pytest.raises(UncommittedChanges, match="staged"):
            import_data(lake, source, "data")
        assert untouched()
        assert text_at(lake, MAIN, "staged") == "1"

    def test_the_same_import_twice_at_once(self, lake: EmbeddedLake, source: Path) -> None:
        """Two imports of the same data that meet agree: the second one finds its files there."""
        lake.init()
        hooked = HookedLake(lake.root, "merge", lambda: import_data(lake, source, "data"))
        report = import_data(hooked, source, "data")
        assert lake.resolve(MAIN) == report.commit
        assert len(paths_at(lake, MAIN)) == 3
        assert [branch.name for branch in lake.branches()] == [MAIN]

    def test_a_file_that_vanishes(
        self, lake: EmbeddedLake, source: Path, untouched: Callable[[], bool]
    ) -> None:
        """A file that is gone when its turn comes ends the import, and nothing of it stays."""
        hooked = HookedLake(lake.root, "put_many", (source / "more/b.csv").unlink)
        with pytest.raises(ImportFailed, match=r"more/b\.csv vanished.*nothing is published"):
            import_data(hooked, source, "data")
        assert untouched()

    def test_a_table_that_is_written_to(
        self, lake: EmbeddedLake, source: Path, checker: PanderaChecker, untouched: Callable[[], bool]
    ) -> None:
        """A table that changes between storing and checking is not published unchecked."""
        hooked = HookedLake(lake.root, "commit", lambda: (source / "a.csv").write_text("mass\n7\n"))
        with pytest.raises(ImportFailed, match=r"a\.csv was written to"):
            import_data(hooked, source, "data", checker=checker)
        assert untouched()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file of 120 MB goes in within 40 MB of memory."""
    file = tmp_path / "large.bin"
    with file.open("wb") as target:
        for _ in range(120):
            target.write(os.urandom(1 << 20))
    code = """
import resource, sys
from pathlib import Path
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.data_import import import_data
lake = EmbeddedLake(Path(sys.argv[2]))
lake.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert import_data(lake, Path(sys.argv[1]), "data/large").bytes == 120 << 20
assert not import_data(lake, Path(sys.argv[1]), "data/large").has_changes
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    arguments = [sys.executable, "-c", code, str(file), str(tmp_path / "lake")]
    found = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 40_000
