"""Tables as Parquet: pandas, polars and pyarrow in, any of them (or numpy) out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headrace.errors import StageError

GIVES = (
    "pandas.DataFrame",
    "pandas.Series",
    "polars.DataFrame",
    "polars.LazyFrame",
    "pyarrow.Table",
    "numpy.ndarray",
    "pathlib.Path",
)
# Where a library defines a type under another name than people import it by.
_PUBLIC = {
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pandas.core.series.Series": "pandas.Series",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    "pyarrow.lib.Table": "pyarrow.Table",
}
_NOTE = b"headrace"  # what Parquet cannot say by itself: a Series, the categories of a column
_INDEX = "__index_level_"  # how pyarrow names the column of a nameless pandas index


class TableCodec:
    """Stores one table as one uncompressed Parquet file.

    A pandas index, dtypes and categories (their order, and those without rows) survive. Read in a
    library without an index, a nameless pandas index is left out. Uncompressed: a lake on a local
    disk reads small and middling tables faster than it could unpack them, and the bytes do not
    depend on a compressor's version.
    """

    name = "parquet"
    suffix = ".parquet"

    def accepts(self, value: object) -> bool:
        return _kind(value) in GIVES[:5]

    def write(self, value: Any, path: Path) -> None:
        kind = _kind(value)
        if kind == "polars.LazyFrame":
            value, kind = value.collect(), "polars.DataFrame"
        if kind == "polars.DataFrame":
            value.write_parquet(path, compression="uncompressed")
            return
        import pyarrow.parquet

        table = value if kind == "pyarrow.Table" else _from_pandas(value, kind)
        # Dictionaries pay for text only: on columns of numbers they double the time.
        text = [field.name for field in table.schema if not _is_number(field.type)]
        pyarrow.parquet.write_table(table, path, compression="none", use_dictionary=text)

    def read(self, path: Path, wanted: str) -> Any:
        wanted = _PUBLIC.get(wanted, wanted)
        if wanted == "pathlib.Path":
            return path
        if wanted and wanted not in GIVES:
            raise StageError(
                f"{path.name} holds a table, which cannot be given as {wanted}.\n"
                f"      Annotate the argument with one of: {', '.join(GIVES)}."
            )
        if wanted.startswith("polars."):
            return _read_polars(path, lazy=wanted.endswith("LazyFrame"))
        table = _read_arrow(path)
        if wanted == "pyarrow.Table":
            return table.drop_columns([name for name in table.column_names if name.startswith(_INDEX)])
        frame = _to_pandas(table)
        if wanted == "numpy.ndarray":
            return frame.to_numpy()
        if wanted == "pandas.DataFrame" and _kind(frame) == "pandas.Series":
            return frame.to_frame()
        if wanted == "pandas.Series" and _kind(frame) == "pandas.DataFrame":
            return _only_column(frame, path)
        return frame


def _kind(value: object) -> str:
    """Return the public name of the table type that `value` is or inherits from, else ''."""
    for cls in type(value).__mro__:
        public = _PUBLIC.get(f"{cls.__module__}.{cls.__qualname__}", f"{cls.__module__}.{cls.__qualname__}")
        if public in GIVES:
            return public
    return ""


def _is_number(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind))


def _from_pandas(value: Any, kind: str) -> Any:
    import pyarrow

    note: dict[str, Any] = {}
    if kind == "pandas.Series":
        note["series"] = {"named": value.name is not None}
        value = value.to_frame("0" if value.name is None else value.name)
    try:
        table = pyarrow.Table.from_pandas(value)
    except (pyarrow.ArrowException, ValueError, TypeError) as error:
        # Arrow appends the column to the arguments of its own message.
        detail = " ".join(str(part) for part in error.args)
        raise StageError(
            f"a table of shape {value.shape} cannot be stored as Parquet: {detail}\n"
            "      Give every column one name and values of one type, such as .astype('string')."
        ) from error
    categories = _categories(value)
    if categories:
        note["categories"] = categories
    if note:
        metadata = {**(table.schema.metadata or {}), _NOTE: json.dumps(note, sort_keys=True).encode()}
        table = table.replace_schema_metadata(metadata)
    return table


def _categories(frame: Any) -> dict[str, str]:
    """Return the categories of each categorical column (by its position) as hexadecimal Arrow data.

    Parquet keeps the values that occur, in the order they occur in: a category without rows, and the
    order of them all, would be lost.
    """
    found: dict[str, str] = {}
    for position, dtype in enumerate(frame.dtypes):
        if type(dtype).__name__ == "CategoricalDtype":
            import pyarrow

            values = pyarrow.Array.from_pandas(dtype.categories)
            batch = pyarrow.record_batch([values], names=["categories"])
            sink = pyarrow.BufferOutputStream()
            with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            found[str(position)] = sink.getvalue().to_pybytes().hex()
    return found


def _read_arrow(path: Path) -> Any:
    import pyarrow.parquet

    try:
        # ParquetFile, because read_table imports pyarrow.dataset to read one file.
        return pyarrow.parquet.ParquetFile(path).read()
    except pyarrow.ArrowException as error:
        raise StageError(f"{path.name} is no readable Parquet file: {error}") from error


def _read_polars(path: Path, lazy: bool) -> Any:
    import polars

    frame = polars.scan_parquet(path) if lazy else polars.read_parquet(path)
    names = frame.collect_schema().names()
    return frame.drop([name for name in names if name.startswith(_INDEX)])


def _to_pandas(table: Any) -> Any:
    note = json.loads((table.schema.metadata or {}).get(_NOTE, b"{}"))
    frame = table.to_pandas()
    for position, packed in note.get("categories", {}).items():
        import pyarrow

        batch = pyarrow.ipc.open_stream(bytes.fromhex(packed)).read_all()
        column = frame.iloc[:, int(position)].astype("category")
        values = batch.to_pandas()["categories"].rename(None)
        dtype = type(column.dtype)(values, ordered=column.dtype.ordered)
        frame.isetitem(int(position), column.astype(dtype))
    if "series" not in note:
        return frame
    series = frame.iloc[:, 0]
    return series if note["series"]["named"] else series.rename(None)


def _only_column(frame: Any, path: Path) -> Any:
    if frame.shape[1] != 1:
        raise StageError(
            f"{path.name} has {frame.shape[1]} columns, which cannot be given as pandas.Series.\n"
            "      Annotate the argument with pandas.DataFrame, or return a Series."
        )
    return frame.iloc[:, 0]
