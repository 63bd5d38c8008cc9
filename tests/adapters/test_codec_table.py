"""Tables keep their types, in whatever library they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.adapters.codec_table import TableCodec
from headrace.errors import StageError
from headrace.testing.codec import CodecContract


def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "text": pd.Series(["a", None, "b"], dtype="str"),
            "size": pd.Categorical(["y", "x", None], categories=["z", "y", "x"], ordered=True),
            "code": pd.Categorical([3, 1, 3], categories=[9, 3, 1]),
            "day": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "real": [0.5, np.nan, -1.0],
            "small": np.array([1, 2, 3], dtype="int8"),
        },
        index=[5, 3, 1],
    )


VALUES = {
    "mixed": mixed(),
    "numbers": pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=[0, 1]),
    "empty": mixed().iloc[:0],
    "named index": mixed().set_index("small"),
    "series": pd.Series([1, 2], name="target", index=[7, 8]),
    "nameless series": pd.Series(["x", "y"]),
    "categorical series": pd.Series(["x", "y"], dtype=pd.CategoricalDtype(["y", "q", "x"])),
}


class TestPandas(CodecContract):
    """The contract, for frames and series of pandas."""

    @pytest.fixture
    def codec(self) -> TableCodec:
        return TableCodec()

    @pytest.fixture(params=VALUES)
    def value(self, request: pytest.FixtureRequest) -> Any:
        return VALUES[request.param]

    def same(self, left: Any, right: Any) -> bool:
        check = pd.testing.assert_series_equal if left.ndim == 1 else pd.testing.assert_frame_equal
        check(left, right)
        return True


class TestPolars(CodecContract):
    """The contract, for a polars frame read as one."""

    @pytest.fixture
    def codec(self) -> TableCodec:
        pytest.importorskip("polars")
        return TableCodec()

    @pytest.fixture(params=["DataFrame", "LazyFrame"])
    def value(self, request: pytest.FixtureRequest) -> Any:
        polars = pytest.importorskip("polars")
        return getattr(polars, request.param)({"a": [1, 2], "b": ["x", None]})

    def same(self, left: Any, right: Any) -> bool:
        return bool(left.lazy().collect().to_dict(as_series=False) == {"a": [1, 2], "b": ["x", None]}) and (
            right["a"].tolist() == [1, 2]
        )


@pytest.mark.parametrize(
    "wanted", ["pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table", "numpy.ndarray"]
)
def test_gives_the_type_wanted(wanted: str, tmp_path: Path) -> None:
    """One stored table is given in each library's own type."""
    if wanted.startswith("polars"):
        pytest.importorskip("polars")
    TableCodec().write(mixed(), tmp_path / "t.parquet")
    found = TableCodec().read(tmp_path / "t.parquet", wanted)
    assert (type(found).__module__.partition(".")[0], type(found).__name__) == tuple(wanted.split("."))


@pytest.mark.parametrize("wanted", ["polars.DataFrame", "polars.LazyFrame", "pyarrow.Table"])
def test_no_index_where_there_is_none(wanted: str, tmp_path: Path) -> None:
    """A library without an index sees the columns and not the pandas index."""
    pytest.importorskip("polars")
    TableCodec().write(mixed(), tmp_path / "t.parquet")
    table = TableCodec().read(tmp_path / "t.parquet", wanted)
    names = table.collect_schema().names() if wanted.startswith("polars") else table.column_names
    assert names == list(mixed().columns)


def test_a_table_goes_back_to_pandas(tmp_path: Path) -> None:
    """What polars and pyarrow wrote is a pandas frame for whoever wants one."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2]})
    TableCodec().write(frame, tmp_path / "p")
    TableCodec().write(frame.to_arrow(), tmp_path / "a")
    for name in "pa":
        assert TableCodec().read(tmp_path / name, "pandas.DataFrame")["a"].tolist() == [1, 2]


def test_one_column_is_a_series(tmp_path: Path) -> None:
    """A frame of one column is given as a series; of two, refused with the number."""
    TableCodec().write(mixed()[["real"]], tmp_path / "one")
    assert TableCodec().read(tmp_path / "one", "pandas.Series").name == "real"
    TableCodec().write(mixed(), tmp_path / "many")
    with pytest.raises(StageError, match="7 columns"):
        TableCodec().read(tmp_path / "many", "pandas.Series")


def test_mixed_column_is_named() -> None:
    """A column of several types is refused by name."""
    frame = pd.DataFrame({"good": [1, 2], "bad": pd.Series([1, "x"], dtype=object)})
    with pytest.raises(StageError, match="column bad"):
        TableCodec().write(frame, Path("never-written"))


def test_duplicate_columns_are_refused() -> None:
    """Two columns of one name are refused, not renamed."""
    frame = pd.DataFrame(np.zeros((1, 2)), columns=["a", "a"])
    with pytest.raises(StageError, match=r"[Dd]uplicate"):
        TableCodec().write(frame, Path("never-written"))


def test_read_frame_can_be_changed(tmp_path: Path) -> None:
    """A stage may write into the frame it got, without touching the stored file."""
    TableCodec().write(mixed(), tmp_path / "t")
    frame = TableCodec().read(tmp_path / "t", "pandas.DataFrame")
    frame.loc[5, "real"] = 9.0
    assert TableCodec().read(tmp_path / "t", "").loc[5, "real"] == 0.5


def test_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is no Parquet is named in the error."""
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing of the kind PAR1")
    with pytest.raises(StageError, match=r"t\.parquet is no readable Parquet file"):
        TableCodec().read(tmp_path / "t.parquet", "")
