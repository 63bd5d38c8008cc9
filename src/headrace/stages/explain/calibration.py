"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.rows import plain

if TYPE_CHECKING:
    import numpy as np

BINS = 10
LEVEL_95 = 1.959964  # the normal distribution's quantile of a two-sided interval of 95 %


def measure_calibration(answers: Answers, bins: int = BINS) -> dict[str, Any]:
    """Hold predicted probabilities against what came true, in bins of about equally many rows.

    With two classes the probability is that of the positive one. With more it is that of the
    predicted class, against the share of rows in which this was right (Guo et al. 2017, "On
    calibration of modern neural networks").

    Returns:
        `brier`: the mean squared error of the probabilities (Brier 1950), with two classes of the
        positive one (0 to 1), with more summed over the classes (0 to 2). `expected_error`: the mean
        distance of the bins from the diagonal, weighted by rows. `curve`: for each bin with rows the
        mean `predicted`, the `observed` share with its 95 % interval `low` and `high` (Wilson 1927),
        and `rows`.
    """
    import numpy as np

    if answers.chances is None:
        return {"why": "the estimator gives no probabilities"}
    truth = np.eye(len(answers.classes))[answers.target]
    if answers.positive is not None:
        kind, chance = "positive", answers.chance_of(answers.positive)
        came_true = answers.target == answers.positive
        brier = float(((chance - came_true) ** 2).mean())
    else:
        kind, came_true = "predicted", answers.right
        chance = np.take_along_axis(answers.chances, answers.predicted[:, None], axis=1)[:, 0]
        brier = float(((answers.chances - truth) ** 2).sum(axis=1).mean())
    curve, expected = _curve(chance, came_true, bins)
    return {"of": kind, "brier": brier, "expected_error": expected, "curve": curve}


def _curve(chance: np.ndarray, came_true: np.ndarray, bins: int) -> tuple[dict[str, list[Any]], float]:
    import numpy as np

    edges = np.quantile(chance, np.linspace(0, 1, min(bins, len(chance)) + 1)[1:-1])
    within = np.searchsorted(edges, chance)
    rows = np.bincount(within)
    held = rows > 0
    rows = rows[held]
    predicted = np.bincount(within, weights=chance)[held] / rows
    observed = np.bincount(within, weights=came_true)[held] / rows
    low, high = wilson_interval(observed, rows)
    curve = {
        "predicted": plain(predicted),
        "observed": plain(observed),
        "low": plain(low),
        "high": plain(high),
        "rows": rows.tolist(),
    }
    return curve, float((rows * np.abs(observed - predicted)).sum() / rows.sum())


def wilson_interval(share: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of a share of rows: Wilson 1927, which stays within 0 and 1."""
    import numpy as np

    z = LEVEL_95
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return (middle - half).clip(0, 1), (middle + half).clip(0, 1)
