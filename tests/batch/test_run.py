"""Batches: rows in are rows out and rejected, whatever the form, the partitions and the kills in between."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headrace.adapters.runtime_inline import InlineRuntime
from headrace.batch.plan import plan_batch
from headrace.batch.run import run_batch
from headrace.config.predict import PredictNode
from headrace.core.ports import MAIN
from headrace.errors import ConfigError, StageError, StageFailed
from headrace.loaded import Model, load_model
from tests.batch.conftest import Scored


def write(table: pd.DataFrame, file: str) -> str:
    if file.endswith(".parquet"):
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False)
    return file


def read(file: str) -> pd.DataFrame:
    return (
        pd.read_parquet(file)
        if file.endswith(".parquet")
        else pd.read_csv(file, float_precision="round_trip")
    )


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
@pytest.mark.parametrize("out", [".parquet", ".csv", ".csv.gz"])
def test_every_row_is_answered_as_the_model_answers(
    birds: Scored, rows: pd.DataFrame, suffix: str, out: str
) -> None:
    """Each form of table gives what the loaded model says of its rows, beside all their columns."""
    done = birds.run(write(rows, f"new{suffix}"), f"out{out}", probabilities=True, partition_rows=30)
    model = load_model("birds", lake=birds.lake)
    found = read(f"out{out}")
    assert (done.rows, done.answered, done.rejected) == (100, 100, 0)
    assert found["prediction"].tolist() == model.predict(rows).tolist()
    probabilities = model.predict_proba(rows)
    columns = [f"probability_{label}" for label in model.signature.classes]
    assert np.array_equal(found[columns].to_numpy(), probabilities)
    assert found["note"].tolist() == rows["note"].tolist()
    assert found["mass"].equals(rows["mass"])
    assert not Path(f"out.rejected{out}").exists()


@pytest.mark.parametrize("out", ["out.parquet", "out.csv", "out.csv.gz"])
def test_output_is_the_same_whatever_the_partitions(birds: Scored, rows: pd.DataFrame, out: str) -> None:
    """Partitions of 1, 7 and 1,000 rows give the same bytes, rejected rows too."""
    rows.loc[[3, 50, 99], "island"] = "Nowhere"
    source = write(rows, "new.csv")
    rejected = out.replace("out.", "out.rejected.")
    made = []
    for size in (7, 33, 1000):
        birds.run(source, out, partition_rows=size)
        made.append((Path(out).read_bytes(), Path(rejected).read_bytes()))
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rejected_rows_are_told_with_reasons(birds: Scored, rows: pd.DataFrame, suffix: str) -> None:
    """A row that does not meet the schema is beside the output, with its number and what is wrong."""
    rows["mass"] = rows["mass"].astype(object)
    rows.loc[3, "mass"] = 9001.0
    rows.loc[[40, 41], "island"] = "Nowhere"
    if suffix == ".parquet":
        rows["mass"] = rows["mass"].astype(float)
    done = birds.run(write(rows, f"new{suffix}"), "out.csv", partition_rows=25)
    assert (done.rows, done.answered, done.rejected) == (100, 97, 3)
    assert list(done.reasons.values()) == [2, 1]
    assert "island" in next(iter(done.reasons))
    found = read("out.rejected.csv")
    assert found["row"].tolist() == [3, 40, 41]
    assert found["note"].tolist() == ["n3", "n40", "n41"]
    assert "9001" in found["reasons"][0]
    assert "mass" in found["reasons"][0]
    assert "Nowhere" in found["reasons"][1]
    assert len(read("out.csv")) == 97


def test_lines_that_are_no_rows_are_rejected(birds: Scored, rows: pd.DataFrame) -> None:
    """A line with too many fields and one that is no text cost themselves, not the file."""
    write(rows, "new.csv")
    lines = Path("new.csv").read_bytes().splitlines()
    lines.insert(11, b"n,1,Biscoe,r,too,much")  # row 10
    lines[21] = b"\xff\xfe,4000.0,Biscoe,r20"  # in a column that nobody reads
    lines[31] = b"n30,4000.0,\xff,r30"
    lines.append(b"short")  # row 101
    Path("new.csv").write_bytes(b"\n".join(lines))
    for size in (8, 1000):
        done = birds.run("new.csv", f"out{size}.csv", partition_rows=size)
        found = read(f"out{size}.rejected.csv")
        assert (done.rows, done.answered, done.rejected) == (102, 98, 4)
        assert found["row"].tolist() == [10, 20, 30, 101]
        assert "6 fields" in found["reasons"][0]
        assert "UTF-8" in found["reasons"][1]
    assert Path("out8.rejected.csv").read_bytes() == Path("out1000.rejected.csv").read_bytes()


def test_all_rows_may_be_rejected(birds: Scored, rows: pd.DataFrame) -> None:
    """Where no row is good the output has its columns and no rows."""
    rows["island"] = "Nowhere"
    done = birds.run(write(rows, "new.parquet"), "out.parquet")
    assert (done.answered, done.rejected) == (0, 100)
    assert read("out.parquet").columns.tolist() == [*rows.columns, "prediction"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_table_without_rows_gives_one_without(birds: Scored, rows: pd.DataFrame, suffix: str) -> None:
    """No rows in are no rows out, and no error."""
    done = birds.run(write(rows.head(0), f"new{suffix}"), "out.csv")
    assert (done.rows, done.answered) == (0, 0)
    assert read("out.csv").columns.tolist() == [*rows.columns, "prediction"]


def test_columns_to_keep_are_chosen(birds: Scored, rows: pd.DataFrame) -> None:
    """`keep` narrows the output; rejected rows keep all their columns."""
    rows.loc[0, "island"] = "Nowhere"
    birds.run(write(rows, "new.parquet"), "out.parquet", keep=["note"])
    assert read("out.parquet").columns.tolist() == ["note", "prediction"]
    assert read("out.rejected.parquet").columns.tolist() == ["row", "reasons", *rows.columns]


def test_categories_and_whole_numbers_are_carried_along(birds: Scored, rows: pd.DataFrame) -> None:
    """Columns of all types that Parquet has come through, categories as their values."""
    rows["island"] = rows["island"].astype("category")
    rows["when"] = pd.Timestamp("2026-01-02T03:04:05", tz="UTC")
    rows["flag"] = True
    birds.run(write(rows, "new.parquet"), "out.parquet", partition_rows=30)
    found = read("out.parquet")
    assert found["island"].tolist() == rows["island"].tolist()
    assert found["when"].equals(rows["when"])
    birds.run("new.parquet", "out.csv", partition_rows=30)
    assert read("out.csv").loc[0, ["when", "flag"]].tolist() == ["2026-01-02T03:04:05+00:00", True]


def test_parquet_of_csv_has_the_types_of_the_model(birds: Scored, rows: pd.DataFrame) -> None:
    """What the model reads gets its type in Parquet, so that it can be scored again; CSV stays as it was."""
    rows["size"] = 1
    birds.run(write(rows, "new.csv"), "out.parquet")
    found = read("out.parquet")
    assert found["mass"].equals(rows["mass"])
    assert set(found["size"]) == {"1"}
    assert birds.run("out.parquet", "again.parquet", keep=["note"]).answered == 100
    Path("exact.csv").write_text("note,mass,island,ring\n007,4e3,Biscoe,r1\n1.10,4100.50,Dream,r2\n")
    birds.run("exact.csv", "exact_out.csv")
    kept = [line.rpartition(",")[0] for line in Path("exact_out.csv").read_text().splitlines()]
    assert kept == Path("exact.csv").read_text().splitlines()


def test_killed_batch_goes_on_where_it_was(birds: Scored, rows: pd.DataFrame) -> None:
    """After an interrupt nothing is seen of the output, and only partitions that lack are computed."""
    source = write(rows, "new.parquet")
    batch = birds.plan(source, "out.parquet", partition_rows=10)

    def stop(done: int) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(batch, lambda: InlineRuntime(batch.cache), stop)
    assert [file.name for file in birds.folder.iterdir() if "out" in file.name] == []
    done = birds.run(source, "out.parquet", partition_rows=10)
    assert birds.progress == [50, 60, 70, 80, 90, 100]
    assert (done.rows, done.computed) == (100, 60)
    assert read("out.parquet")["note"].tolist() == rows["note"].tolist()
    assert list(batch.folder.glob("*.arrow")) == []


def test_damaged_part_is_computed_again(birds: Scored, rows: pd.DataFrame) -> None:
    """A part that is not what was written counts as missing, with all after it."""
    source = write(rows, "new.csv")
    batch = birds.plan(source, "out.csv", partition_rows=10)

    def stop(done: int) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(batch, lambda: InlineRuntime(batch.cache), stop)
    (batch.folder / "part-000001.arrow").write_bytes(b"half")
    done = birds.run(source, "out.csv", partition_rows=10)
    assert done.computed == 90
    assert read("out.csv")["note"].tolist() == rows["note"].tolist()


def test_nothing_is_done_twice(birds: Scored, rows: pd.DataFrame) -> None:
    """What is there as it was made is known; a changed output, input or setting is made anew."""
    source = write(rows, "new.parquet")
    first = birds.run(source, "out.parquet")
    assert birds.plan(source, "out.parquet").find_done() == first
    assert birds.plan(source, "other.parquet").find_done() is None
    assert birds.plan(source, "out.parquet", probabilities=True).find_done() is None
    Path("out.parquet").write_bytes(b"spoiled")
    assert birds.plan(source, "out.parquet").find_done() is None
    birds.run(source, "out.parquet")
    write(rows.head(5), "new.parquet")
    assert birds.plan(source, "out.parquet").find_done() is None


def test_rejected_rows_of_an_earlier_output_go(birds: Scored, rows: pd.DataFrame) -> None:
    """An output without rejected rows leaves none of an earlier one beside it."""
    bad = rows.copy()
    bad.loc[0, "island"] = "Nowhere"
    birds.run(write(bad, "bad.parquet"), "out.parquet")
    assert Path("out.rejected.parquet").exists()
    birds.run(write(rows, "good.parquet"), "out.parquet")
    assert not Path("out.rejected.parquet").exists()


def test_many_files_are_one_table(birds: Scored, rows: pd.DataFrame) -> None:
    """A glob is read in the order of the names, and rejected rows say of which file they are."""
    Path("new").mkdir()
    rows.loc[70, "island"] = "Nowhere"
    write(rows.head(60), "new/a.csv")
    write(rows.tail(40), "new/b.csv")
    done = birds.run("new/*.csv", "out.csv", partition_rows=25)
    assert (done.answered, done.rejected) == (99, 1)
    assert read("out.csv")["note"].tolist() == rows["note"].drop(70).tolist()
    found = read("out.rejected.csv")
    assert found.loc[0, ["file", "row"]].tolist() == ["new/b.csv", 10]


def test_files_with_other_columns_are_named(birds: Scored, rows: pd.DataFrame) -> None:
    """Files that do not fit together are an error that names file and column."""
    Path("new").mkdir()
    write(rows, "new/a.parquet")
    write(rows.drop(columns=["note"]), "new/b.parquet")
    with pytest.raises(StageError, match=r"new/b\.parquet .* lacks 'note'"):
        birds.run("new/*.parquet", "out.csv")


def test_lake_paths_are_read_and_written(birds: Scored, rows: pd.DataFrame) -> None:
    """A folder of the lake is read at a ref, and the output is one commit on main with what it is of."""
    rows.loc[70, "island"] = "Nowhere"
    for name, part in (("a", rows.head(60)), ("b", rows.tail(40))):
        birds.lake.put(MAIN, f"raw/{name}.parquet", Path(write(part, "x.parquet")))
    birds.lake.commit(MAIN, "raw")
    before = len(birds.lake.log(MAIN, first_parent=True))
    done = birds.run("lake:raw", "lake:scored/birds.parquet")
    assert len(birds.lake.log(MAIN, first_parent=True)) == before + 1
    assert birds.lake.log(MAIN, limit=1)[0].metadata["model"] == "birds"
    found = pd.read_parquet(birds.lake.local_path(MAIN, "scored/birds.parquet"))
    assert found["note"].tolist() == rows["note"].drop(70).tolist()
    rejected = pd.read_parquet(birds.lake.local_path(MAIN, "scored/birds.rejected.parquet"))
    assert rejected["file"].tolist() == ["lake:raw/b.parquet"]
    assert birds.plan("lake:raw", "lake:scored/birds.parquet").find_done() == done
    assert [branch.name for branch in birds.lake.branches("predict-")] == []


def test_missing_columns_are_told_once(birds: Scored, rows: pd.DataFrame) -> None:
    """Columns that the table lacks are told before anything is written, with the nearest name."""
    source = write(rows.rename(columns={"island": "iland"}).drop(columns=["mass"]), "new.parquet")
    with pytest.raises(ConfigError) as caught:
        birds.run(source, "out.parquet", keep=["nte"])
    text = str(caught.value)
    assert "no column 'island', which the model reads\n      did you mean iland?" in text
    assert "no column 'mass'" in text
    assert "no column 'nte'\n      did you mean note?" in text
    assert not Path("out.parquet").exists()


def test_column_called_prediction_must_give_way(birds: Scored, rows: pd.DataFrame) -> None:
    """An input that has what the output will is an error that says what to type, and `keep` solves it."""
    source = write(rows.assign(prediction=1), "new.parquet")
    with pytest.raises(ConfigError, match=r"keep=\["):
        birds.run(source, "out.parquet")
    assert birds.run(source, "out.parquet", keep=["note"]).answered == 100


def test_missing_input_is_a_wrong_word(birds: Scored, rows: pd.DataFrame) -> None:
    """A file that is not there is told with the nearest one."""
    write(rows, "new.parquet")
    with pytest.raises(ConfigError, match=r"did you mean new\.parquet"):
        birds.plan("nwe.parquet", "out.parquet")


@pytest.mark.parametrize("bytes_", [b"", b"no parquet", gzip.compress(b"a,b\n1,2\n")[:-9]])
def test_file_that_is_no_table_is_named(birds: Scored, bytes_: bytes) -> None:
    """Bytes that are no Parquet or a cut gzip file are an error that names the file."""
    name = "new.csv.gz" if bytes_[:1] == b"\x1f" else "new.parquet"
    Path(name).write_bytes(bytes_)
    with pytest.raises(StageError, match=name):
        birds.run(name, "out.parquet")


def test_model_that_fails_names_the_partition(
    birds: Scored, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the model ends the batch by name; what was done before is kept."""
    source = write(rows, "new.parquet")
    answer, calls = Model.answer, []

    def fail(self: Model, given: object, probabilities: bool = False) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError("oh")
        return answer(self, given, probabilities)

    monkeypatch.setattr(Model, "answer", fail)
    with pytest.raises(StageFailed, match="partition 2 failed: ZeroDivisionError: oh"):
        birds.run(source, "out.parquet", partition_rows=30)
    assert birds.run(source, "out.parquet", partition_rows=30).computed == 40


def test_input_that_changes_meanwhile_gives_no_output(birds: Scored, rows: pd.DataFrame) -> None:
    """No output is made of two states of a file."""
    source = write(rows, "new.csv")
    batch = birds.plan(source, "out.csv", partition_rows=50)

    def change(_: int) -> None:
        with Path("new.csv").open("a") as file:
            file.write("n,1.0,Biscoe,r\n")

    with pytest.raises(StageError, match=r"new\.csv changed"):
        run_batch(batch, lambda: InlineRuntime(batch.cache), change)
    assert not Path("out.csv").exists()


def test_folder_of_a_version_scores_too(birds: Scored, rows: pd.DataFrame) -> None:
    """A model may be a folder that was copied out of the lake."""
    for info in birds.lake.list(MAIN, prefix="models/birds/1/"):
        file = birds.folder / "copied" / info.path.removeprefix("models/birds/1/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(birds.lake.local_path(MAIN, info.path).read_bytes())
    node = PredictNode(model="copied", input=write(rows, "new.csv"), output="out.csv")
    batch = plan_batch(node, birds.lake, birds.root)
    done = run_batch(batch, lambda: InlineRuntime(batch.cache), lambda _: None)
    assert (done.model, done.version, done.answered) == ("birds", 1, 100)
