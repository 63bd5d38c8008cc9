"""Reading sources: what comes in, and what a bad source is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from headrace.errors import StageError
from headrace.stages import ingest


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    path = tmp_path / "birds.csv"
    path.write_text("kind,mass,hour\nduck,1.5,1\ngoose,,2\nduck,1.25,3\n")
    return path


def test_csv_is_read_with_missing_values_types_and_derived_columns(birds: Path) -> None:
    """A missing number stays missing, `dtypes` sets types, and `derive` adds columns."""
    raw = ingest.read_csv(birds, "kind", dtypes={"kind": "category"}, derive={"heavy": "mass > 1.3"})["raw"]
    assert raw["mass"].isna().tolist() == [False, True, False]
    assert str(raw["kind"].dtype) == "category"
    assert raw["heavy"].tolist() == [True, False, False]


def test_files_of_a_glob_become_one_table_with_one_index(birds: Path) -> None:
    """Several files are one table whose rows are numbered through."""
    raw = ingest.read_csv([birds, birds], "kind")["raw"]  # type: ignore[arg-type]
    assert raw.index.tolist() == [0, 1, 2, 3, 4, 5]


def test_files_that_are_not_plain_are_read_with_options(tmp_path: Path) -> None:
    """No header, blanks before values, a mark for what is missing, and remarks: pandas' own options."""
    path = tmp_path / "people.data"
    path.write_text("|a remark\n39, Private, <=50K.\n50, ?, >50K\n\n")
    options = {
        "names": ["age", "work", "income"],
        "skipinitialspace": True,
        "na_values": ["?"],
        "comment": "|",
    }
    derive = {"income": 'income.str.rstrip(".")'}
    raw = ingest.read_csv(path, "income", derive=derive, options=options)["raw"]
    assert raw["age"].tolist() == [39, 50]
    assert raw["work"].isna().tolist() == [False, True]
    assert raw["work"][0] == "Private"
    assert raw["income"].tolist() == ["<=50K", ">50K"]
    some = ingest.read_csv(path, "income", columns=["age", "income"], options=options)["raw"]
    assert list(some.columns) == ["age", "income"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"na_vales": "?"}, r"dataset\.csv\.na_vales: .* did you mean dataset\.csv\.na_values\?"),
        ({"dtype": "str"}, r"dataset\.csv\.dtype: use dataset\.dtypes instead"),
        ({"chunksize": 3}, "no such option"),
        ({"comment": "||"}, "cannot be read as CSV"),
    ],
)
def test_options_that_pandas_does_not_know_are_named(options: dict[str, str], told: str, birds: Path) -> None:
    """A typo offers the near name; what has a key of its own points there."""
    with pytest.raises(StageError, match=told):
        ingest.read_csv(birds, "kind", options=options)


def test_rows_are_thinned_evenly(birds: Path) -> None:
    """`rows` keeps the first, the last and what lies evenly between."""
    assert ingest.read_csv(birds, "kind", rows=2)["raw"]["hour"].tolist() == [1, 3]


def test_parquet_gives_back_what_was_written(birds: Path, tmp_path: Path) -> None:
    """A table written as Parquet is read with its types."""
    table = pd.read_csv(birds)
    table.to_parquet(tmp_path / "birds.parquet")
    raw = ingest.read_parquet(tmp_path / "birds.parquet", "kind")["raw"]
    pd.testing.assert_frame_equal(raw, table)


def test_sql_reads_what_a_query_returns(tmp_path: Path) -> None:
    """The rows of a SELECT become the table."""
    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(tmp_path / "b.db") as db:
        db.execute("CREATE TABLE birds (kind TEXT, mass REAL)")
        db.execute("INSERT INTO birds VALUES ('duck', 1.5)")
    db.close()
    raw = ingest.read_sql("SELECT * FROM birds", f"sqlite:///{tmp_path}/b.db", "kind")["raw"]
    assert raw.to_dict("records") == [{"kind": "duck", "mass": 1.5}]


def test_a_failed_query_never_shows_the_url() -> None:
    """The database's password is in no message, and in no chained error."""
    pytest.importorskip("sqlalchemy")
    url = "nosuchdialect://me:s3cret@host/db"
    with pytest.raises(StageError) as raised:
        ingest.read_sql("SELECT 1", url, "kind")
    assert "s3cret" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_join_keeps_every_left_row_once(birds: Path, tmp_path: Path) -> None:
    """Rows without a partner stay with missing values; a repeated key on the right adds no row."""
    (tmp_path / "weather.csv").write_text("hour,temp\n1,20\n1,99\n3,22\n")
    raw = ingest.join(birds, tmp_path / "weather.csv", ["hour"], "kind")["raw"]
    assert raw["hour"].tolist() == [1, 2, 3]
    assert raw["temp"].fillna(-1).tolist() == [20, -1, 22]


def test_bundled_labels_get_their_names() -> None:
    """`named_labels` puts the loader's names in place of its numbers."""
    from sklearn.datasets import load_breast_cancer

    raw = ingest.load_bundled(load_breast_cancer(as_frame=True), "target", named_labels=True)["raw"]
    assert raw["target"].value_counts().to_dict() == {"benign": 357, "malignant": 212}


@pytest.mark.parametrize(
    ("content", "target", "told"),
    [
        (None, "kind", "no file"),
        ("", "kind", "is empty"),
        ("kind,mass\n", "kind", "has no rows"),
        ("kind,mass\nduck,1\n", "kinds", "did you mean kind?"),
    ],
)
def test_a_bad_source_is_named(tmp_path: Path, content: str | None, target: str, told: str) -> None:
    """A missing file, an empty one, one without rows and a misspelt target each name the file."""
    path = tmp_path / "birds.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StageError, match=r"birds\.csv") as raised:
        ingest.read_csv(path, target)
    assert told in str(raised.value)


def test_a_derived_column_that_fails_is_named(birds: Path) -> None:
    """An expression over a column that is not there names the new column and the expression."""
    with pytest.raises(StageError, match=r"dataset\.derive\.heavy: `weight > 1`"):
        ingest.read_csv(birds, "kind", derive={"heavy": "weight > 1"})


@pytest.mark.parametrize(("read", "foreign"), [("csv", "more.parquet"), ("parquet", "more.csv.gz")])
def test_a_file_of_another_kind_is_named(read: str, foreign: str, tmp_path: Path) -> None:
    """A folder that holds both kinds is no table, and bytes of the other kind are never shown."""
    files = [tmp_path / "birds" / f"one.{read}", tmp_path / "birds" / foreign]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"PAR1\x00\xff")
    with pytest.raises(StageError) as caught:
        getattr(ingest, f"read_{read}")(files, "kind")
    assert f"birds holds {foreign}, which `stages/ingest={read}` does not read" in str(caught.value)
