"""A training of one's own that reports: a linear model, fitted pass by pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from headrace.core.ports import Context


def fit_in_passes(
    features: pd.DataFrame, target: pd.Series, context: Context, passes: int = 20, alpha: float = 0.001
) -> dict[str, Any]:
    """Fit by stochastic gradient descent, and report the accuracy on a fifth of the rows after each pass."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import train_test_split

    labels = target.to_numpy(dtype=str)
    x, held_x, y, held_y = train_test_split(features, labels, test_size=0.2, random_state=context.seed)
    model = SGDClassifier(loss="log_loss", alpha=alpha, random_state=context.seed)
    for done in range(1, passes + 1):
        model.partial_fit(x, y, classes=sorted(set(labels)))
        context.report(done, model.score(held_x, held_y))
    return {"estimator": model}
