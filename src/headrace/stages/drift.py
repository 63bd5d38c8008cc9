"""How far the columns of two tables are from each other.

Which measure and which threshold: as Evidently 0.7 chooses them by default. On up to 1,000 rows a test
decides, since distances of so few rows are mostly chance; on more a distance, since there a test finds
differences that do not matter.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from headrace.stages.profile import Kind, as_floats, kind_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SMALL = 1000  # rows
DISTANCE = 0.1
SIGNIFICANCE = 0.05
TEXT = 0.5  # share of distinct values above which a column is text, and no category
FEW = 50  # distinct values that are no text, however few rows there are


def find_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    distance: float = DISTANCE,
    significance: float = SIGNIFICANCE,
) -> dict[str, Any]:
    """Compare two tables column by column, as plain JSON.

    Numbers: on up to 1,000 rows of either table the two-sample test of Kolmogorov and Smirnov (1939; the
    statistic is the greatest distance of the two distribution functions), on more the first Wasserstein
    distance divided by the reference's standard deviation. Categories: Pearson's chi-squared test of
    homogeneity (1900), or the Jensen-Shannon distance (Lin 1991; Endres and Schindelin 2003) in natural
    units, 0 to 0.83. A column drifts too where its share of missing values changes by `distance`.

    Each test errs in one of twenty columns that did not change: nothing is corrected for their number.

    Args:
        reference: What was there before; it is only read.
        current: What is there now; it is only read.
        distance: From which distance on a column of more than 1,000 rows drifts.
        significance: Below which p value one of fewer rows does.

    Returns:
        `rows` of both, `columns` in the reference's order and then the new ones, each with `name`, `kind`,
        `missing` (shares, before and now), `method`, `value` (statistic or distance), `p_value` (of a test,
        else None), `threshold`, `drifted` (None where nothing was compared) and `why` (of what is not
        numbers alone); `compared` and `drifted` count columns.
    """
    small = min(len(reference), len(current)) <= SMALL
    names = list(dict.fromkeys([*map(str, reference.columns), *map(str, current.columns)]))
    before, now = _by_name(reference), _by_name(current)
    columns = []
    for name in names:
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            columns.append(_told(name, None, drifted=True, why="new" if old is None else "gone"))
            continue
        columns.append(_compare(name, old, new, small, distance, significance))
    return {
        "rows": [len(reference), len(current)],
        "columns": columns,
        "compared": sum(column["drifted"] is not None for column in columns),
        "drifted": sum(column["drifted"] is True for column in columns),
    }


def _by_name(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): table.iloc[:, place] for place, name in enumerate(table.columns)}


def _told(name: str, kind: Kind | None, **known: Any) -> dict[str, Any]:
    nothing = {
        "missing": None,
        "method": None,
        "value": None,
        "p_value": None,
        "threshold": None,
        "drifted": None,
        "why": None,
    }
    return {"name": name, "kind": kind} | nothing | known


def _compare(
    name: str, old: pd.Series, new: pd.Series, small: bool, distance: float, significance: float
) -> dict[str, Any]:
    kind, was = kind_of(new), kind_of(old)
    shares = [float(side.isna().mean()) if len(side) else 0.0 for side in (old, new)]
    told = _told(name, kind, missing=shares)
    if kind != was and {kind, was} != {"boolean", "category"}:
        return told | {"drifted": True, "why": f"was {was}, is {kind}"}
    if kind in ("time", "other"):
        return told | {"why": "times are not compared" if kind == "time" else "this type is not compared"}
    measured = _numbers(old, new, small) if kind == "number" else _categories(old, new, small)
    if "method" in measured:
        p_value = measured["p_value"]
        measured["threshold"] = distance if p_value is None else significance
        measured["drifted"] = measured["value"] >= distance if p_value is None else p_value < significance
    if abs(shares[1] - shares[0]) >= distance:
        measured |= {"drifted": True, "why": "the share of missing values changed"}
    return told | measured


def _numbers(old: pd.Series, new: pd.Series, small: bool) -> dict[str, Any]:
    import numpy as np

    sides = [as_floats(side) for side in (old, new)]
    before, now = (side[np.isfinite(side)] for side in sides)
    if not len(before) or not len(now):
        return {"why": "one side has no values"}
    if small:
        from scipy import stats

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # where the exact p value is out of reach
            found = stats.ks_2samp(before, now)
        return {"method": "ks", "value": float(found.statistic), "p_value": float(found.pvalue)}
    return {"method": "wasserstein", "value": normed_wasserstein(before, now), "p_value": None}


def normed_wasserstein(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the first Wasserstein distance of two samples in standard deviations of the reference.

    Where all values of the reference are one, in standard deviations of both together.

    Args:
        reference: Finite values, (n,).
        current: Finite values, (m,).
    """
    import numpy as np

    before, now = np.sort(reference), np.sort(current)
    both = np.concatenate([before, now])
    scale = float(before.std()) or float(both.std())
    if not scale:
        return 0.0
    both.sort(kind="stable")  # merges the two, which are sorted
    steps = np.diff(both)
    shares = [np.searchsorted(side, both[:-1], side="right") / len(side) for side in (before, now)]
    return float(np.abs(shares[0] - shares[1]) @ steps) / scale


def _categories(old: pd.Series, new: pd.Series, small: bool) -> dict[str, Any]:
    import numpy as np

    before, now = old.value_counts(sort=False), new.value_counts(sort=False)
    counts = [{_as_text(value): count for value, count in side.items() if count} for side in (before, now)]
    if not counts[0] or not counts[1]:
        return {"why": "one side has no values"}
    if any(len(side) > max(FEW, TEXT * sum(side.values())) for side in counts):
        return {"why": "most values are there once: text is not compared"}
    values = sorted({*counts[0], *counts[1]})
    table = np.array([[side.get(value, 0) for value in values] for side in counts], dtype="float64")
    if not small:
        return {"method": "jensen_shannon", "value": jensen_shannon(table[0], table[1]), "p_value": None}
    from scipy import stats

    if len(values) == 1:
        return {"method": "chi_squared", "value": 0.0, "p_value": 1.0}
    found = stats.chi2_contingency(table, correction=False)
    return {"method": "chi_squared", "value": float(found.statistic), "p_value": float(found.pvalue)}


def _as_text(value: object) -> str:
    """Name a category alike whatever the type of its column: true is `True` also as a string."""
    return str(value)


def jensen_shannon(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the Jensen-Shannon distance of two rows of counts, (k,) each: 0 if alike, sqrt(ln 2) at most."""
    import numpy as np

    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    divergence = 0.0
    for side in (p, q):
        there = side > 0
        divergence += float((side[there] * np.log(side[there] / middle[there])).sum()) / 2
    return float(np.sqrt(max(divergence, 0.0)))
