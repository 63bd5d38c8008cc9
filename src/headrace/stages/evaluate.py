"""Judge a fitted estimator on rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import StageError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator


def classification(estimator: BaseEstimator, features: pd.DataFrame, target: pd.Series) -> dict[str, Any]:
    """Measure classes, and probabilities where the estimator gives them.

    Returns:
        `metrics`: accuracy, balanced_accuracy, f1_macro; with probabilities log_loss, and with two
        classes roc_auc (the positive class is the last in sort order, scikit-learn's convention).
        `predictions`: one row a test row: target, predicted, and `p_<class>`.
    """
    import pandas as pd
    from sklearn import metrics as score

    classes = estimator.classes_
    # Not to the width of `classes.dtype`: that would cut a longer label short.
    labels = target.to_numpy(dtype=object).astype(str) if classes.dtype.kind == "U" else target.to_numpy()
    unseen = sorted({str(label) for label in set(labels.tolist()) - set(classes.tolist())})
    if unseen:
        raise StageError(
            f"target {target.name}: test rows have classes training never saw: {', '.join(unseen)}"
        )
    predicted = estimator.predict(features)
    table = pd.DataFrame({"target": labels, "predicted": predicted})
    metrics = {
        "accuracy": score.accuracy_score(labels, predicted),
        "balanced_accuracy": score.balanced_accuracy_score(labels, predicted),
        "f1_macro": score.f1_score(labels, predicted, average="macro"),
    }
    if hasattr(estimator, "predict_proba"):
        chances = estimator.predict_proba(features)
        metrics["log_loss"] = score.log_loss(labels, chances, labels=classes)
        if len(classes) == 2:
            if len(set(labels.tolist())) < 2:
                raise StageError(f"target {target.name}: test rows have one class; roc_auc needs both")
            metrics["roc_auc"] = score.roc_auc_score(labels == classes[1], chances[:, 1])
        table = table.assign(**{f"p_{name}": chances[:, at] for at, name in enumerate(classes)})
    return {"metrics": {name: float(value) for name, value in metrics.items()}, "predictions": table}


def regression(estimator: BaseEstimator, features: pd.DataFrame, target: pd.Series) -> dict[str, Any]:
    """Measure errors in the target's own unit: rmse and mae, and the share of variance explained, r2."""
    import pandas as pd
    from sklearn import metrics as score

    labels, predicted = target.to_numpy(), estimator.predict(features)
    metrics = {
        "rmse": float(score.root_mean_squared_error(labels, predicted)),
        "mae": float(score.mean_absolute_error(labels, predicted)),
        "r2": float(score.r2_score(labels, predicted)),
    }
    return {"metrics": metrics, "predictions": pd.DataFrame({"target": labels, "predicted": predicted})}
