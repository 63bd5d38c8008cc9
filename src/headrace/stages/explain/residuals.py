"""By how much a regression is off, and whether that depends on what it says."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.rows import draw_rows, plain

MOST_POINTS = 400
MOST_BARS = 40
STEPS = 10


def measure_residuals(answers: Answers, seed: int) -> dict[str, Any]:
    """Describe target minus prediction, in the target's unit.

    Returns:
        `mean`, `std` (of the population), `quantiles`, a `histogram` of `counts` between `edges`,
        `points` drawn by the seed, and in `trend` the mean residual in ten bins of the prediction
        with equally many rows: away from zero, the model is off there as a rule.
    """
    import numpy as np

    residuals = answers.target - answers.predicted
    counts, edges = np.histogram(residuals, bins=max(5, min(MOST_BARS, int(len(residuals) ** 0.5))))
    drawn = draw_rows(len(residuals), MOST_POINTS, seed)
    order = np.argsort(answers.predicted, kind="stable")
    steps = [step for step in np.array_split(order, STEPS) if len(step)]
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        "mean": float(residuals.mean()),
        "std": float(residuals.std()),
        "quantiles": dict(zip(map(str, shares), plain(np.quantile(residuals, shares)), strict=True)),
        "histogram": {"edges": plain(edges), "counts": counts.tolist()},
        "points": {"predicted": plain(answers.predicted[drawn]), "residual": plain(residuals[drawn])},
        "points_of": len(residuals),
        "trend": {
            "predicted": plain(answers.predicted[step].mean() for step in steps),
            "residual": plain(residuals[step].mean() for step in steps),
        },
    }
