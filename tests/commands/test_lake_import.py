"""`headrace lake import`: files into `main`, and what the command says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.ports import MAIN, LakeStore

from .conftest import Ask

SCHEMA = "schema_type: dataframe\ncolumns:\n  size: {dtype: int64, greater_than: 0}\nstrict: true\n"


@pytest.fixture
def source(project: Path) -> Path:
    """A folder with two tables of sizes."""
    folder = project / "incoming"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text("size\n1\n2\n")
    return folder


@pytest.fixture
def schema(project: Path) -> str:
    """A schema option of the project: sizes are above zero."""
    file = project / "conf" / "schema" / "sizes.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(SCHEMA)
    return "sizes"


def test_an_import_says_what_changed(ask: Ask, source: Path, lake: LakeStore) -> None:
    """Each path is marked, then counts, and how to undo it; a second time nothing is left to do."""
    said = ask("lake", "import", str(source), "raw/sizes", "--message", "sizes of today")
    head = lake.resolve(MAIN)
    assert said.lines == [
        "+ raw/sizes/a.csv",
        "+ raw/sizes/b.csv",
        "2 added, 0 changed, 0 removed, 0 unchanged (18 B written)",
        f"main is at {head[:12]}; to undo that, type:",
        f"headrace lake revert {head[:12]}",
    ]
    assert lake.log(MAIN, limit=1)[0].message == "sizes of today"
    again = ask("lake", "import", str(source), "raw/sizes")
    assert again.lines == [f"main has all of it already, at {head[:12]}"]
    assert lake.resolve(MAIN) == head


def test_what_an_import_advises_undoes_it(ask: Ask, source: Path, lake: LakeStore) -> None:
    """The last line of an import, typed, takes the files away again."""
    said = ask("lake", "import", str(source), "raw")
    assert ask(*said.lines[-1].split()[1:]).code == 0
    assert list(lake.list(MAIN)) == []


def test_an_import_can_delete_what_the_folder_lacks(ask: Ask, source: Path, lake: LakeStore) -> None:
    """With --delete the place in the lake becomes what the folder is; JSON names every path."""
    ask("lake", "import", str(source), "raw")
    (source / "a.csv").unlink()
    (source / "b.csv").write_text("size\n3\n")
    assert ask("lake", "import", str(source), "raw", "--json").json["removed"] == []
    (source / "c.csv").write_text("size\n4\n")
    found = ask("lake", "import", str(source), "raw", "--delete", "--json").json
    assert (found["added"], found["changed"], found["removed"]) == (["raw/c.csv"], [], ["raw/a.csv"])
    assert (found["commit"], found["unchanged"], found["bytes"]) == (lake.resolve(MAIN), 1, 7)


def test_a_schema_lets_good_tables_pass(ask: Ask, source: Path, schema: str) -> None:
    """With --schema each table is checked, and that is said."""
    said = ask("lake", "import", str(source), "raw", "--schema", schema)
    assert said.code == 0
    assert "2 tables checked: the schema holds" in said.lines


def test_a_schema_keeps_bad_tables_from_main(ask: Ask, source: Path, schema: str, lake: LakeStore) -> None:
    """One wrong value ends with exit code 3 and names file and column; main and branches are as before."""
    (source / "b.csv").write_text("size\n1\n-2\n")
    head = lake.resolve(MAIN)
    said = ask("lake", "import", str(source), "raw", "--schema", schema)
    assert (said.code, said.out) == (3, "")
    assert "b.csv" in said.err
    assert "size" in said.err
    assert [(branch.name, branch.commit) for branch in lake.branches()] == [(MAIN, head)]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["incoming", "raw", "--schema", "size"], 2, "did you mean --schema sizes?"),
        (["outgoing", "raw"], 1, "no file or folder outgoing"),
        (["incoming", "models/x"], 1, "models"),
    ],
)
def test_a_wrong_import_says_what_to_type(
    words: list[str], code: int, hint: str, ask: Ask, source: Path, schema: str, lake: LakeStore
) -> None:
    """What cannot be imported is told before anything is written."""
    said = ask("lake", "import", *words)
    assert (said.code, said.out) == (code, "")
    assert hint in said.err
    assert [branch.name for branch in lake.branches()] == [MAIN]


def test_a_wrong_schema_is_told_before_anything_is_read(
    ask: Ask, source: Path, schema: str, project: Path
) -> None:
    """A check that does not exist ends with exit code 2 and the check that was meant."""
    (project / "conf" / "schema" / "sizes.yaml").write_text(SCHEMA.replace("greater_than:", "greater_then:"))
    said = ask("lake", "import", "incoming", "raw", "--schema", schema)
    assert said.code == 2
    assert "did you mean greater_than?" in said.err
