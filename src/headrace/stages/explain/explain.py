"""The stage: numbers first, then charts made of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.stages.explain.answers import Answers, read_answers
from headrace.stages.explain.calibration import measure_calibration
from headrace.stages.explain.charts import draw_charts
from headrace.stages.explain.confusion import count_confusions
from headrace.stages.explain.curves import trace_precision_recall, trace_roc
from headrace.stages.explain.importance import measure_importance
from headrace.stages.explain.learning_curve import trace_learning
from headrace.stages.explain.metric import choose_metric
from headrace.stages.explain.partial_dependence import trace_dependence
from headrace.stages.explain.residuals import measure_residuals
from headrace.stages.explain.rows import draw_rows
from headrace.stages.explain.subject import Subject, join_subject
from headrace.stages.explain.worst_errors import find_worst

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context

DEPENDENCE_ROWS = 300
LEARNING_SHARES = [0.1, 0.3, 0.6, 1.0]


def explain_model(
    estimator: BaseEstimator,
    features: pd.DataFrame,
    target: pd.Series,
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    train_features: pd.DataFrame,
    train_target: pd.Series,
    context: Context,
    preprocessor: BaseEstimator | None = None,
    evaluation: dict[str, Any] | None = None,
    importance_repeats: int = 5,
    top_features: int = 6,
    sample: int = 1500,
    learning_curve: list[float] | None = None,
    learning_rows: int = 10000,
    worst: int = 50,
) -> dict[str, Any]:
    """Explain a fitted estimator by the test rows.

    Args:
        features, target: The test rows, made ready for the estimator.
        rows: The same test rows as they came from the source, in the same order.
        predictions: What `stages.evaluate` found for them.
        preprocessor: With it the importance of raw columns is told, without it that of the features.
        evaluation: Says which of two classes is the positive one; None: the last in sort order.
        importance_repeats: How often each column is shuffled, at most; 0 leaves importance and
            dependence out.
        top_features: Of how many columns, the most important first, the dependence is traced.
        sample: Test rows at most that importance and learning curve are measured on, drawn by the seed.
        learning_curve: Shares of the training rows to fit on, between 0 and 1; None is 0.1, 0.3, 0.6
            and 1, which costs about as much as the training itself did; [] leaves it out.
        learning_rows: Training rows at most that these are shares of.
        worst: How many of the worst errors are kept.

    Returns:
        `analysis`: the numbers (docs/reference/analysis-json.md). `figures`: name to chart.
        `errors`: see `find_worst`.

    Raises:
        StageError: A test label that training never saw.
    """
    from threadpoolctl import threadpool_limits

    answers = read_answers(estimator, predictions, str(target.name), (evaluation or {}).get("positive"))
    labels = estimator.classes_[answers.target] if answers.classes else answers.target
    shares = LEARNING_SHARES if learning_curve is None else learning_curve
    metric = choose_metric(estimator, answers)
    analysis = _measure_answers(answers, context.seed)
    # Thousands of predictions for a few rows each: starting threads would take longer than these do.
    with threadpool_limits(limits=1, user_api="openmp"):
        if shares:
            train, test = (train_features, train_target), (features, labels)
            analysis["learning_curve"] = trace_learning(
                estimator, train, test, metric, shares, learning_rows, sample, context
            )
        if importance_repeats:
            subject = join_subject(estimator, features, labels, preprocessor, rows)
            groups = answers.target if answers.classes else None
            drawn = subject.take(draw_rows(len(labels), sample, context.seed, groups))
            importance = measure_importance(drawn, metric, importance_repeats, context.seed)
            names = [each["name"] for each in importance["features"][:top_features]]
            analysis["importance"] = importance
            analysis["partial_dependence"] = _trace_columns(subject, answers, names, context)
    return {
        "analysis": analysis,
        "figures": draw_charts(analysis),
        "errors": find_worst(answers, rows, worst),
    }


def explain_nothing() -> dict[str, Any]:
    """Return an empty analysis, where nobody is to wait for one."""
    return {"analysis": {}}


def _measure_answers(answers: Answers, seed: int) -> dict[str, Any]:
    """Measure all that the answers alone tell."""
    found: dict[str, Any] = {
        "task": answers.task,
        "target": answers.target_name,
        "rows": len(answers.target),
        "classes": list(answers.classes),
        "positive": None if answers.positive is None else answers.classes[answers.positive],
    }
    if answers.task == "regression":
        return {**found, "residuals": measure_residuals(answers, seed)}
    return {
        **found,
        "confusion": count_confusions(answers),
        "roc": trace_roc(answers),
        "precision_recall": trace_precision_recall(answers),
        "calibration": measure_calibration(answers),
    }


def _trace_columns(
    subject: Subject, answers: Answers, names: Sequence[str], context: Context
) -> dict[str, Any]:
    """Trace the dependence on each of these columns, on the same few rows."""
    few = subject.take(draw_rows(len(subject.labels), DEPENDENCE_ROWS, context.seed))
    traced = []
    with context.progress("partial dependence", len(names)) as advance:
        for name in names:
            traced.append(trace_dependence(few, answers, name))
            advance(name)
    return {"rows": len(few.labels), "features": traced}
