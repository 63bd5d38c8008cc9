"""Bootstrap intervals: rows are drawn with replacement, and metrics are told how often each was drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from headrace.errors import StageError

if TYPE_CHECKING:
    import numpy as np

    from headrace.stages.evaluate.measure import Measure

CELLS = 250_000  # weights at a time: 2 MB, which stays near the processor
FEWEST_ROWS = 10  # with fewer the bootstrap says more than it knows

Draws = dict[str, "np.ndarray"]  # metric to its value in each resample


def check_interval(bootstrap: int, level: float) -> None:
    """Raise `StageError` where resamples and level do not make an interval."""
    where = "stages.evaluate.params"
    if not 0 < level < 1:
        raise StageError(f"{where}.level is {level}; use a share between 0 and 1, such as 0.95")
    needed = round(2 / (1 - level))
    if bootstrap and bootstrap < needed:
        raise StageError(
            f"{where}.bootstrap is {bootstrap}; an interval of level {level} needs {needed:,} resamples or"
            f" more; type {where}.bootstrap=1000, or 0 for no intervals"
        )


def draw(n_rows: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each row is drawn, in blocks of shape `(some of the resamples, n_rows)`.

    Each resample is `n_rows` draws with replacement, so the counts are multinomial.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    width = max(1, min(resamples, CELLS // max(n_rows, 1)))
    for start in range(0, resamples, width):
        n_resamples = min(width, resamples - start)
        drawn = rng.integers(0, n_rows, (n_resamples, n_rows))
        drawn += n_rows * np.arange(n_resamples)[:, None]  # each resample counts for itself
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)


def bootstrap(
    measures: Mapping[str, tuple[Measure, np.ndarray | None]],
    weights: np.ndarray,
    resamples: int,
    seed: int,
) -> dict[str, Draws]:
    """Return what each measure gives in each resample; all see the same ones, so they can be paired.

    Args:
        measures: By name, a measure and the positions of its rows among all, None for all of them.
        weights: Of all rows; a row that is drawn twice counts twice its weight.
    """
    import numpy as np

    parts: dict[str, list[Draws]] = {name: [] for name in measures}
    plain = bool((weights == 1).all())
    for block in draw(len(weights), resamples, seed):
        if not plain:
            block *= weights
        for name, (measure, rows) in measures.items():
            found = _measured(measure, block if rows is None else block.take(rows, axis=1))
            parts[name].append(found)
    return {
        name: {metric: np.concatenate([part[metric] for part in found]) for metric in found[0]}
        for name, found in parts.items()
        if found
    }


def _measured(measure: Measure, block: np.ndarray) -> Draws:
    """Measure a block; resamples in which a slice has no row at all determine nothing."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return measure(block)


def interval(values: np.ndarray, level: float) -> tuple[float | None, float | None]:
    """Return the percentile interval (Efron and Tibshirani 1993, chapter 13).

    Resamples that do not determine the metric are left out; both ends are None where these are most.
    """
    import numpy as np

    known = values[np.isfinite(values)]
    if 2 * len(known) <= len(values):
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
