"""Cut the test rows into groups: by a column, by a binned column, or by a crossing of such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MISSING = "missing"  # the group of rows that have no value there


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that share a name such as `sex=Female, age=[25, 45)`, by position in ascending order."""

    name: str
    rows: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One way to cut the rows. `left_out` counts the groups beyond the largest, and their rows."""

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: tuple[int, int]

    def describe(self) -> dict[str, Any]:
        groups, rows = self.left_out
        return {"by": list(self.by), "left_out": {"groups": groups, "rows": rows} if groups else None}


def cut_rows(rows: pd.DataFrame | None, wanted: Sequence[Any], where: str, most: int) -> list[Slice]:
    """Cut the rows in each way that is wanted; of each the `most` largest groups are kept.

    Args:
        rows: The test rows as they came from the source; None where the stage did not get them.
        wanted: Entries such as `sex`, `{age: [0, 25, 45]}`, and lists of these: a crossing. Bins
            hold their lower edge; rows below the first edge, from the last on, and without a value
            are groups of their own where there are such rows.
        where: The config key of `wanted`, for messages.

    Raises:
        StageError: An entry is none of these, a column is not there or not numeric, edges do not
            ascend, or the rows were not given.
    """
    if most < 1:
        raise StageError(f"stages.evaluate.params.max_groups is {most}; use 1 or more")
    return [_cut(rows, entry, f"{where}[{at}]", most) for at, entry in enumerate(wanted)]


def _cut(rows: pd.DataFrame | None, entry: Any, where: str, most: int) -> Slice:
    import numpy as np

    parts = entry if isinstance(entry, list | tuple) else [entry]
    if not parts:
        raise StageError(f"{where} crosses no columns; name some, such as [carrier, origin]")
    columns = [_column(part, where) for part in parts]
    by = tuple(name for name, _ in columns)
    if len(set(by)) < len(by):
        raise StageError(f"{where} names a column twice: {', '.join(by)}")
    table = require_rows(rows, where)
    coded = [_codes(table, name, edges, where) for name, edges in columns]
    keys = np.stack([codes for codes, _ in coded], axis=1)
    found, member, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:most]
    groups = [
        Group(
            ", ".join(names[at] for at, (_, names) in zip(found[place], coded, strict=True)),
            np.flatnonzero(member.ravel() == place),
        )
        for place in sorted(largest.tolist())
    ]
    left = len(table) - sum(len(group.rows) for group in groups)
    return Slice(by=by, groups=tuple(groups), left_out=(len(found) - len(groups), left))


def require_rows(rows: pd.DataFrame | None, where: str) -> pd.DataFrame:
    """Return the raw rows, or say how the stage gets them."""
    if rows is None:
        raise StageError(f"{where} needs the test rows; type: stages.evaluate.inputs.rows=test")
    return rows


def require_column(rows: pd.DataFrame, name: str, where: str) -> pd.Series:
    """Return a column of the raw rows, or offer the one whose name is near."""
    if name not in rows.columns:
        raise StageError(
            f"{where}: the rows have no column {name}; {did_you_mean(name, map(str, rows.columns))}"
        )
    return rows[name]


def _column(part: Any, where: str) -> tuple[str, list[float] | None]:
    """Return the column that an entry names, with the edges of its bins, None without."""
    if isinstance(part, str):
        return part, None
    if not isinstance(part, Mapping) or len(part) != 1:
        raise StageError(
            f"{where} is {part!r}; use a column, {{column: [edges]}}, or a list of these, such as"
            " [sex, {age: [0, 25, 45, 65]}]"
        )
    ((name, edges),) = part.items()
    at = f"{where}.{name}"
    if not isinstance(edges, list | tuple) or not edges:
        raise StageError(f"{at} has no edges of bins; use numbers that ascend, such as [0, 25, 45, 65]")
    if any(isinstance(edge, bool) or not isinstance(edge, int | float) for edge in edges):
        raise StageError(f"{at}: {list(edges)!r} are not all numbers; use edges such as [0, 25, 45, 65]")
    if any(not low < high for low, high in pairwise([*edges, float("inf")])):
        ascending = sorted({edge for edge in edges if abs(edge) < float("inf")}) or [0, 25, 45, 65]
        raise StageError(f"{at}: the edges {list(edges)} do not ascend; use such as {ascending}")
    return str(name), list(edges)


def _codes(
    rows: pd.DataFrame, name: str, edges: list[float] | None, where: str
) -> tuple[np.ndarray, list[str]]:
    """Return each row's group by number, and the groups' names; the last is that of missing values."""
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    column = require_column(rows, name, where)
    missing = column.isna().to_numpy()
    if edges is None:
        codes, names = _values(column, name)
    else:
        if not is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
            raise StageError(
                f"{where}: column {name} is {column.dtype}, which has no bins; name it without edges"
            )
        codes = np.digitize(column.to_numpy(dtype=float, na_value=np.nan), edges)
        inner = [f"{name}=[{_said(low)}, {_said(high)})" for low, high in pairwise(edges)]
        names = [f"{name}<{_said(edges[0])}", *inner, f"{name}>={_said(edges[-1])}"]
    return np.where(missing, len(names), codes), [*names, f"{name}={MISSING}"]


def _values(column: pd.Series, name: str) -> tuple[np.ndarray, list[str]]:
    import pandas as pd

    try:
        codes, values = pd.factorize(column, sort=True)
    except TypeError:  # values that cannot be compared with each other
        codes, values = pd.factorize(column.map(str, na_action="ignore"), sort=True)
    return codes, [f"{name}={_said(value)}" for value in values.tolist()]


def _said(value: Any) -> str:
    """Say a value as it was typed: a whole number has no `.0` behind it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
