"""`headrace diff` of tables and plots, and of runs whose lake is elsewhere or has lost what they made."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from headrace.core.record import RunRecord
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]

TABLES = '''
import pandas as pd

def load(source: Path):
    rows = [int(x) for x in source.read_text().split()]
    return {"rows": pd.DataFrame({"number": rows, "name": [str(x) for x in rows]})}

class Figure:
    """Stands for a matplotlib figure, by which the codec tells it, where that library is not installed."""

    def __init__(self, text):
        self.text = text

    def savefig(self, path, **_):
        Path(path).write_bytes(self.text.encode())

Figure.__module__ = "matplotlib.figure"

def double(rows: pd.DataFrame, factor: int = 2):
    return {"doubled": Figure(f"picture {factor}")}
'''
ONLY = ("publish=null", "stop_after=double")


@pytest.fixture
def two(toy: Toy) -> tuple[RunRecord, RunRecord]:
    """Two runs over a table that lost a row, got one, and has one that was edited."""
    toy.code += TABLES  # later definitions count
    (toy.folder / "data.txt").write_text("1 2 3 4 5 6")
    first, _ = toy.run(*ONLY)
    (toy.folder / "data.txt").write_text("1 3 44 5 6 7 8")
    second, _ = toy.run(*ONLY, "stages.double.params.factor=3")
    assert (first.state, second.state) == ("succeeded", "succeeded"), (first.error, second.error)
    return first, second


def test_rows_that_came_went_and_changed(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """They are counted in lines and in JSON, and one line says what is the same."""
    told = ask("diff", two[0].id, two[1].id)
    assert "  rows: 6 → 7 rows: 2 added, 1 removed, 1 changed" in told.lines
    assert told.lines[-1].startswith("the same: ")
    assert "packages" in told.lines[-1]
    document = ask("diff", two[0].id, two[1].id, "--json").json
    (table,) = document["tables"]
    assert (table["rows"], table["added"], table["removed"], table["changed"]) == ([6, 7], 2, 1, 1)
    assert [stage["state"] for stage in document["stages"]][:2] == [["ran", "ran"], ["ran", "ran"]]


def test_plots_side_by_side(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """The page holds both pictures themselves, and nothing but the page is written."""
    before = set(Path().iterdir())
    assert ask("diff", two[0].id, two[1].id, "--html", "page.html").lines[-1].endswith("page.html")
    assert set(Path().iterdir()) - before == {Path("page.html")}
    page = Path("page.html").read_text()
    for factor in (2, 3):
        assert base64.b64encode(f"picture {factor}".encode()).decode() in page
    assert "http" not in page


def test_a_page_that_cannot_be_written(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """A folder that is not there is told, without a traceback."""
    told = ask("diff", two[0].id, two[1].id, "--html", "no/such/page.html")
    assert (told.code, "--html no/such/page.html" in told.err) == (2, True)


def test_tables_that_are_gone(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """What the records say is told all the same, and that the table cannot be compared."""
    shutil.rmtree(".headrace/lake")
    told = ask("diff", two[0].id, two[1].id)
    assert told.code == 0
    assert any(line.startswith("  rows: cannot be compared: ") for line in told.lines)
    assert "  stages.double.params.factor: 2 → 3" in told.lines


def test_the_folder_of_another_project(two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
    """`--headrace-dir` leads to its lake too."""
    shutil.move(".headrace", "it's state")
    words = ["diff", two[0].id, two[1].id, "--headrace-dir", "it's state"]
    assert "  rows: 6 → 7 rows: 2 added, 1 removed, 1 changed" in ask(*words).lines
    assert not Path(".headrace").exists()
