"""How much worse the model gets without what a column tells."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.metric import Metric
from headrace.stages.explain.rows import plain
from headrace.stages.explain.subject import Subject

MOST_SHUFFLES = 160


def measure_importance(subject: Subject, metric: Metric, repeats: int, seed: int) -> dict[str, Any]:
    """Shuffle one column at a time, and tell by how much the metric gets worse (Breiman 2001).

    Columns that tell the same stand in for one another, so each may look unimportant. Of many columns
    each is shuffled less often than `repeats`: 160 times in all, and each at least once.

    Returns:
        `features`, most important first: `name`, and the `mean` and the standard deviation `std` of
        the drop over the repeats, in the metric's unit; negative where shuffling helped. `score` is the
        metric with nothing shuffled, on the same `rows`.
    """
    from sklearn.inspection import permutation_importance

    repeats = min(repeats, max(1, MOST_SHUFFLES // subject.table.shape[1]))
    found = permutation_importance(
        subject.model,
        subject.table,
        subject.labels,
        scoring=metric.scorer,
        n_repeats=repeats,
        random_state=seed,
    )
    means, deviations = plain(found.importances_mean), plain(found.importances_std)
    names = [str(name) for name in subject.table.columns]
    order = sorted(range(len(names)), key=lambda at: (-(means[at] or 0.0), at))
    return {
        "metric": metric.name,
        "score": metric.score(subject.model, subject.table, subject.labels),
        "repeats": repeats,
        "rows": len(subject.table),
        "features": [{"name": names[at], "mean": means[at], "std": deviations[at]} for at in order],
    }
