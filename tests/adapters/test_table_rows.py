"""Two tables are compared by what their rows hold, wherever these stand."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.adapters import table_rows
from headrace.adapters.codec_table import TableCodec
from headrace.errors import StageError

TABLE = pd.DataFrame({"number": range(10), "text": list("abcdefghij"), "gap": [1.5, None] * 5})
NUMBERS = count()


def compare(folder: Path, left: pd.DataFrame, right: pd.DataFrame) -> dict[str, Any]:
    paths = []
    for table in (left, right):
        paths.append(folder / f"{next(NUMBERS)}.parquet")
        TableCodec().write(table, paths[-1])
    return table_rows.compare_tables(*paths)


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["added"], found["removed"], found["changed"]


def test_one_row_of_each_kind(tmp_path: Path) -> None:
    """An edited row is changed although rows before it went and the table is as long as before."""
    right = TABLE.drop(index=1)
    right.loc[5, "text"] = "other"
    right.loc[99] = [99, "new", 0.0]
    assert counts(compare(tmp_path, TABLE, right.reset_index(drop=True))) == (1, 1, 1)


def test_another_order_is_no_other_row(tmp_path: Path) -> None:
    """Rows that only moved are neither added nor changed."""
    found = compare(tmp_path, TABLE, TABLE.iloc[::-1])
    assert (counts(found), found["moved"]) == ((0, 0, 0), True)


def test_columns_come_go_and_change_their_type(tmp_path: Path) -> None:
    """Rows are compared by the columns that both tables have in one type."""
    right = TABLE.assign(number=TABLE["number"].astype(float), more=1).drop(columns="gap")
    found = compare(tmp_path, TABLE, right)
    assert found["columns"] == {"number": "int64 → double", "gap": "removed", "more": "added"}
    assert counts(found) == (0, 0, 0)


def test_a_value_counts_and_not_what_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers with and without gaps in their batch, and categories in any order, are the same."""
    monkeypatch.setattr(table_rows, "BATCH_ROWS", 3)
    left = pd.DataFrame({"n": pd.array([1, 2, 3, None, 5, 6, 7], dtype="Int64"), "c": list("aabbcca")})
    left["c"] = left["c"].astype("category")
    right = left.iloc[1:].copy()
    right["c"] = right["c"].cat.set_categories(["c", "b", "a"])
    assert counts(compare(tmp_path, left, right)) == (0, 1, 0)


@pytest.mark.parametrize("sides", [(TABLE.iloc[:0], TABLE), (TABLE, TABLE.iloc[:0])])
def test_an_empty_table(tmp_path: Path, sides: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """All rows of the other one are added, or removed."""
    found = compare(tmp_path, *sides)
    assert found["rows"] == [len(side) for side in sides]
    assert counts(found) == ((10, 0, 0) if len(sides[1]) else (0, 10, 0))


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    """It is an error that names the file."""
    (tmp_path / "x.parquet").write_text("no Parquet")
    with pytest.raises(StageError, match=r"x\.parquet cannot be compared"):
        table_rows.compare_tables(tmp_path / "x.parquet", tmp_path / "x.parquet")


@given(left=st.lists(st.integers(0, 4), max_size=12), right=st.lists(st.integers(0, 4), max_size=12))
def test_the_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory, left: list[int], right: list[int]
) -> None:
    """Rows that are kept, removed and changed are those of the left side, and so on the right."""
    folder = tmp_path_factory.mktemp("tables")
    frames = [pd.DataFrame({"n": pd.array(side, dtype="int64")}) for side in (left, right)]
    found = compare(folder, *frames)
    kept = sum(min(left.count(value), right.count(value)) for value in range(5))
    assert kept + found["removed"] + found["changed"] == len(left)
    assert kept + found["added"] + found["changed"] == len(right)
    assert found["moved"] == (sorted(left) == sorted(right) and left != right)
