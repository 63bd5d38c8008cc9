"""What each column of a table holds: type, missing and distinct values, how they are distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Kind = Literal["number", "boolean", "category", "time", "other"]

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
LONGEST_VALUE = 80  # characters of a category


def profile_table(table: pd.DataFrame, bins: int = 20, top: int = 10) -> dict[str, Any]:
    """Describe every column, as plain JSON.

    A number that is infinite is counted as such, and is in no quantile or histogram.

    Args:
        table: Any table; it is only read.
        bins: Bars of a histogram at most, of equal width.
        top: How many of the most frequent values of a category are named.

    Returns:
        `rows`, and `columns` in the table's order, each with `name`, `dtype`, `kind`, `missing`, `distinct`
        and, by kind: `mean`, `std`, `infinite`, `quantiles` by share and `histogram` (`edges` are one more
        than `counts`) of a number; the last two of a time, in ISO 8601; `top` of a category.
    """
    columns = [
        _describe(str(name), table.iloc[:, place], bins, top) for place, name in enumerate(table.columns)
    ]
    return {"rows": len(table), "columns": columns}


def kind_of(column: pd.Series) -> Kind:
    """Say what a column's values are, by its type."""
    from pandas.api import types

    if types.is_bool_dtype(column.dtype):
        return "boolean"
    if types.is_numeric_dtype(column.dtype):
        return "other" if types.is_complex_dtype(column.dtype) else "number"
    if types.is_datetime64_any_dtype(column.dtype):
        return "time"
    if isinstance(column.dtype, _categorical()) or types.is_string_dtype(column.dtype):
        return "category"
    return "category" if types.is_object_dtype(column.dtype) else "other"


def as_floats(column: pd.Series) -> np.ndarray:
    """Return the values of a column of numbers that are there, (n,) float64; infinite ones too."""
    import numpy as np

    values = np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))
    known: np.ndarray = values[~np.isnan(values)]
    return known


def _categorical() -> type:
    import pandas as pd

    return pd.CategoricalDtype


def _describe(name: str, column: pd.Series, bins: int, top: int) -> dict[str, Any]:
    kind = kind_of(column)
    told: dict[str, Any] = {
        "name": name,
        "dtype": str(column.dtype),
        "kind": kind,
        "missing": int(column.isna().sum()),
    }
    if kind == "number":
        return told | _number(column, bins)
    if kind == "time":
        return told | _time(column, bins)
    return told | _category(column, top)


def _number(column: pd.Series, bins: int) -> dict[str, Any]:
    import numpy as np

    values = np.sort(as_floats(column))
    finite = values[np.isfinite(values)]
    told: dict[str, Any] = {
        "distinct": _count_distinct(values),
        "infinite": len(values) - len(finite),
        "mean": None,
        "std": None,
        "quantiles": None,
        "histogram": None,
    }
    if len(finite):
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = float(finite.mean()), float(finite.std())
        told["mean"] = mean if np.isfinite(mean) else None
        told["std"] = std if np.isfinite(std) else None
        told["quantiles"] = {f"{q:g}": value for q, value in zip(QUANTILES, _quantiles(finite), strict=True)}
        told["histogram"] = _histogram(finite, bins)
    return told


def _count_distinct(values: np.ndarray) -> int:
    """Count the distinct ones among sorted values."""
    return int((values[1:] != values[:-1]).sum()) + 1 if len(values) else 0


def _quantiles(values: np.ndarray) -> list[float]:
    """Return quantiles of sorted values, between two of them in proportion (Hyndman and Fan 1996, type 7)."""
    found = []
    for share in QUANTILES:
        place = share * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        part = place - low
        found.append(float(values[low] * (1 - part) + values[high] * part))
    return found


def _histogram(values: np.ndarray, bins: int) -> dict[str, list[float]] | None:
    """Count sorted values in bars of equal width; whole numbers in few steps have a bar each."""
    import numpy as np

    low, high = float(values[0]), float(values[-1])
    if not np.isfinite(high - low):
        return None
    whole = abs(low) < 2**52 and abs(high) < 2**52 and high - low < bins and not (values % 1).any()
    if whole:
        edges = np.arange(low - 0.5, high + 1)
    elif low == high:
        edges = np.array([low, high])
    else:
        edges = np.linspace(low, high, bins + 1)
    places = np.searchsorted(values, edges[1:-1], side="left")
    counts = np.diff([0, *places, len(values)])
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _time(column: pd.Series, bins: int) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    known = column.dropna()
    told: dict[str, Any] = {"distinct": int(known.nunique()), "quantiles": None, "histogram": None}
    if known.empty:
        return told
    index = pd.DatetimeIndex(known)
    moments = np.sort(index.asi8).astype("float64")

    def iso(values: list[float]) -> list[str]:
        if index.tz is None:
            made = pd.to_datetime(np.array(values).round().astype("int64"), unit=index.unit)
        else:
            made = pd.to_datetime(np.array(values).round().astype("int64"), unit=index.unit, utc=True)
        return [moment.isoformat() for moment in made]

    told["quantiles"] = dict(zip(map("{:g}".format, QUANTILES), iso(_quantiles(moments)), strict=True))
    histogram = _histogram(moments, bins)
    if histogram is not None:
        told["histogram"] = {"edges": iso(histogram["edges"]), "counts": histogram["counts"]}
    return told


def _category(column: pd.Series, top: int) -> dict[str, Any]:
    counts = column.value_counts(sort=False)
    counts = counts[counts > 0]
    named = [(str(value), int(count)) for value, count in counts.items()]
    if len(named) > 10 * top:
        most = counts.nlargest(top, keep="all")
        named = [(str(value), int(count)) for value, count in most.items()]
    named.sort(key=lambda one: (-one[1], one[0]))
    return {
        "distinct": len(counts),
        "top": [{"value": _short(value), "count": count} for value, count in named[:top]],
    }


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"
