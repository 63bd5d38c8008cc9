"""Read the source into one table, `raw`, exactly as it is: judging rows is the next stage's work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

# Whatever else a file is called, the reader is taken at its word.
_CSV, _PARQUET = (".csv", ".tsv"), (".parquet", ".pq")
_FOREIGN = {"csv": _PARQUET, "join": _PARQUET, "parquet": _CSV}


def read_csv(
    source: Path,
    target: str,
    columns: list[str] | None = None,
    dtypes: dict[str, str] | None = None,
    derive: dict[str, str] | None = None,
    rows: int | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Read one CSV file, or the files of a glob as one table; zip and gzip are opened on the way.

    Args:
        source: The file; a glob arrives as a list of files, in order of their names.
        target: The column that the pipeline learns to predict; it must be there.
        columns: The columns to read; None reads all.
        dtypes: Column to pandas type, such as `category` for text that repeats.
        derive: New column to an expression in the others, as `DataFrame.eval` understands it.
        rows: How many rows to keep, evenly spaced; None keeps all.
        options: For files that are not plain CSV with a header: arguments of `pandas.read_csv`, such
            as `names`, `na_values`, `skipinitialspace`, `comment`.
    """
    parts = [_csv(path, columns, options) for path in _files(source, "csv")]
    return {"raw": _finish(_concat(parts), str(source), target, dtypes, derive, rows)}


def read_parquet(
    source: Path,
    target: str,
    columns: list[str] | None = None,
    dtypes: dict[str, str] | None = None,
    derive: dict[str, str] | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    """Read one Parquet file, or the files of a glob as one table; arguments as in `read_csv`."""
    parts = [_parquet(path, columns) for path in _files(source, "parquet")]
    return {"raw": _finish(_concat(parts), str(source), target, dtypes, derive, rows)}


def read_sql(
    query: str,
    url: str,
    target: str,
    dtypes: dict[str, str] | None = None,
    derive: dict[str, str] | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    """Run a query and read what it returns. The database's URL never appears in a message.

    Args:
        query: One SELECT.
        url: A SQLAlchemy URL, best taken from the environment: `${oc.env:DATABASE_URL}`.
    """
    import pandas as pd

    try:
        table = pd.read_sql_query(query, url)
    except ImportError as error:
        raise StageError(f"reading SQL needs SQLAlchemy: pip install 'headrace[sql]' ({error})") from error
    except Exception as error:
        # Drivers quote the URL with its password, and a chained traceback would show it again.
        said = str(error).replace(url, "<url>").splitlines() or [type(error).__name__]
        raise StageError(f"the query failed: {said[0]}\n  query: {query.strip()}") from None
    return {"raw": _finish(table, "the query's result", target, dtypes, derive, rows)}


def load_bundled(
    loader: Any,
    target: str,
    named_labels: bool = False,
    dtypes: dict[str, str] | None = None,
    derive: dict[str, str] | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    """Take the table that a loader made, such as `sklearn.datasets.load_digits(as_frame=True)`.

    Args:
        loader: A DataFrame, or scikit-learn's Bunch with a `frame`.
        named_labels: Put the Bunch's `target_names` in place of the numbers in the target column.
    """
    table = getattr(loader, "frame", loader)
    if not hasattr(table, "columns"):
        raise StageError(
            f"dataset.loader gave {type(table).__name__}, not a table: set `as_frame: true` on the loader"
        )
    if named_labels and target in table.columns:
        names = dict(enumerate(loader.target_names.tolist()))
        table = table.assign(**{target: table[target].map(names)})
    return {"raw": _finish(table, "the loader's table", target, dtypes, derive, rows)}


def join(
    left: Path,
    right: Path,
    keys: list[str],
    target: str,
    columns: list[str] | None = None,
    right_columns: list[str] | None = None,
    dtypes: dict[str, str] | None = None,
    derive: dict[str, str] | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    """Join two CSV files; every row of the left one stays, exactly once.

    Args:
        left: The file whose rows are the examples.
        right: The file that adds columns; where its keys repeat, the first row counts.
        keys: The columns that both share.
        columns: The columns to read of the left file; None reads all.
        right_columns: The columns that the right file adds, besides the keys; None adds all new ones.
    """
    examples, added = _concat([_csv(path, columns) for path in _files(left, "join")]), _csv(right, None)
    for path, table in ((left, examples), (right, added)):
        missing = [key for key in keys if key not in table.columns]
        if missing:
            raise StageError(f"{path} has no column {missing[0]}; {did_you_mean(missing[0], table.columns)}")
    wanted = right_columns or [name for name in added.columns if name not in examples.columns]
    _require(added, wanted, str(right))
    added = added.drop_duplicates(subset=keys)[[*keys, *wanted]]
    table = examples.merge(added, on=keys, how="left")
    return {"raw": _finish(table, f"{left} joined with {right}", target, dtypes, derive, rows)}


def read_table(path: Path) -> pd.DataFrame:
    """Read one CSV or Parquet file, by its name, with the types that the stages here give."""
    return _csv(path, None) if ".csv" in path.suffixes else _parquet(path, None)


def _files(source: Path | list[Path], stage: str = "") -> list[Path]:
    """Return the files of a source. Raises `StageError`, also for what the option `stage` cannot read."""
    files = [Path(path) for path in source] if isinstance(source, list) else [Path(source)]
    if not files:
        raise StageError("no file matches the source's pattern; set dataset.source")
    for path in files:
        if not path.is_file():
            raise StageError(f"no file {path}; set dataset.source to one that exists")
        if any(suffix in _FOREIGN.get(stage, ()) for suffix in path.suffixes):
            hint = "name only those that it reads, such as dataset.source=…/*.<suffix>, or another reader"
            raise StageError(
                f"{path.parent} holds {path.name}, which `stages/ingest={stage}` does not read; {hint}"
            )
    return files


def _csv(path: Path, columns: list[str] | None, options: dict[str, Any] | None = None) -> pd.DataFrame:
    import pandas as pd

    _files(path)
    if path.stat().st_size == 0:
        raise StageError(f"{path} is empty: no header, no rows")
    # pyarrow's reader takes a third of the time and memory of pandas' own on 300,000 rows, and knows
    # few of the options.
    given: dict[str, Any] = {"engine": "c", **_csv_options(options)} if options else {"engine": "pyarrow"}
    try:
        table: pd.DataFrame = pd.read_csv(path, usecols=columns, **given)
        return table
    except (ValueError, KeyError, TypeError) as error:
        raise StageError(f"{path} cannot be read as CSV: {error}") from error


def _csv_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options. Raises `StageError` for what pandas does not know, or what has its own key."""
    from inspect import signature

    import pandas as pd

    known = set(signature(pd.read_csv).parameters) - {"filepath_or_buffer", "iterator", "chunksize"}
    own = {"usecols": "columns", "dtype": "dtypes", "nrows": "rows"}
    for name in options:
        if name in own:
            raise StageError(f"dataset.csv.{name}: use dataset.{own[name]} instead")
        if name not in known:
            hint = did_you_mean(name, known - set(own), "dataset.csv.{}")
            raise StageError(f"dataset.csv.{name}: pandas.read_csv has no such option; {hint}")
    return options


def _parquet(path: Path, columns: list[str] | None) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path, columns=columns)
    except (ValueError, OSError) as error:
        raise StageError(f"{path} cannot be read as Parquet: {error}") from error


def _concat(parts: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _require(table: pd.DataFrame, names: list[str], where: str) -> None:
    for name in names:
        if name not in table.columns:
            raise StageError(f"{where} has no column {name}; {did_you_mean(name, map(str, table.columns))}")


def _finish(
    table: pd.DataFrame,
    where: str,
    target: str,
    dtypes: dict[str, str] | None,
    derive: dict[str, str] | None,
    rows: int | None,
) -> pd.DataFrame:
    """Thin out, derive, set types, and make sure that there are rows and a target."""
    import numpy as np

    if table.empty:
        raise StageError(f"{where} has no rows")
    if rows is not None and rows < len(table):
        table = table.iloc[np.linspace(0, len(table) - 1, rows).astype(int)].reset_index(drop=True)
    for name, expression in (derive or {}).items():
        try:
            derived: Any = table.eval(expression)
            table = table.assign(**{name: derived})
        except Exception as error:
            raise StageError(f"dataset.derive.{name}: `{expression}` fails: {error}") from error
    _require(table, [target], where)
    _require(table, list(dtypes or {}), where)
    for name, dtype in (dtypes or {}).items():
        try:
            table = table.astype({name: dtype})
        except (ValueError, TypeError) as error:
            raise StageError(f"dataset.dtypes.{name}: not every value is {dtype}: {error}") from error
    return table
