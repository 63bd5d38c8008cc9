"""Choose the probability from which a classifier of two classes decides for the positive one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

WHERE = "stages.train.params.threshold"
KEYS = ("rule", "validation_share", "positive")
METRICS = tuple("accuracy balanced_accuracy precision recall specificity f1 matthews_corrcoef".split())
ERRORS = ("false_positive", "false_negative")
CURVE = 101  # points that are kept


def choose_threshold(
    wanted: Mapping[str, Any],
    estimator: BaseEstimator,
    features: pd.DataFrame,
    labels: np.ndarray,
    seed: int,
    fit: Callable[[np.ndarray], BaseEstimator],
) -> dict[str, Any]:
    """Choose a threshold by a rule on rows that the fitted copy never saw.

    Args:
        wanted: `rule`, and optionally `validation_share` (of the rows, 0.2) and `positive` (the
            last class in sort order). A rule is `{maximize: metric}`, the same with
            `at_least: {metric: bound}`, or `{cost: {false_positive: x, false_negative: y}}`.
        fit: Fits a copy of the estimator on the rows at the positions that it is given.

    Returns:
        `value`: rows whose probability reaches it are decided positive. `rule`: in words. `positive`,
        `rows` (held out), `reached` and `at_half` (the metrics there, at the value and at 0.5), and
        `curve`, the metrics along the thresholds. Where several do equally well, the one nearest to
        0.5 is taken. Thresholds lie between the probabilities that occur.

    Raises:
        StageError: The rule is none, there are not two classes, no probabilities, too few rows to
            hold some out, or no threshold meets a bound.
    """
    import numpy as np

    check_threshold(wanted)
    if not hasattr(estimator, "predict_proba"):
        raise StageError(
            f"{WHERE} needs probabilities, which {type(estimator).__name__} does not give; type {WHERE}=null"
        )
    positive = _positive_class(labels, wanted.get("positive"))
    learned, held = _hold_out(labels, wanted.get("validation_share", 0.2), seed)
    copy: Any = fit(learned)
    scores = copy.predict_proba(features.iloc[held])[:, copy.classes_.tolist().index(positive)]
    levels = np.unique(scores.astype(float))
    thresholds = _between(levels)
    figures = _measure(labels[held] == positive, np.searchsorted(levels, scores))
    at = _best(wanted["rule"], thresholds, figures)
    half = int((levels < 0.5).sum())  # the threshold that decides these rows as 0.5 does
    shown = np.unique([*np.linspace(0, len(thresholds) - 1, CURVE).astype(int), at])
    return {
        "rule": describe_rule(wanted["rule"]),
        "value": float(thresholds[at]),
        "positive": positive,
        "rows": len(held),
        "reached": _at(figures, at),
        "at_half": _at(figures, half),
        "curve": [{"threshold": float(thresholds[i]), **_at(figures, i)} for i in shown],
    }


def apply_threshold(model: BaseEstimator, choice: Mapping[str, Any]) -> BaseEstimator:
    """Wrap a fitted classifier so that it decides by the threshold; nothing is fitted again.

    It is scikit-learn's `FixedThresholdClassifier`, with what was chosen, and why, as its attribute
    `threshold_choice_`.
    """
    from sklearn.base import clone
    from sklearn.model_selection import FixedThresholdClassifier

    wrapped = FixedThresholdClassifier(
        clone(model),
        threshold=choice["value"],
        pos_label=choice["positive"],
        response_method="predict_proba",
    )
    wrapped.estimator_ = model
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(wrapped, name, getattr(model, name))
    wrapped.threshold_choice_ = dict(choice)
    return wrapped


def check_threshold(wanted: Mapping[str, Any]) -> None:
    """Raise `StageError` for what is no way to choose a threshold."""
    for name in wanted:
        if name not in KEYS:
            raise StageError(f"{WHERE}: no such key {name}; {did_you_mean(str(name), KEYS)}")
    rule = wanted.get("rule")
    if not isinstance(rule, Mapping) or ("maximize" in rule) == ("cost" in rule):
        raise StageError(
            f"{WHERE}.rule is {rule!r}; use {{maximize: f1}}, {{maximize: f1, at_least: {{recall: 0.9}}}}"
            " or {cost: {false_positive: 1, false_negative: 5}}"
        )
    for name in rule:
        if name not in ("maximize", "at_least", "cost") or (name == "at_least" and "cost" in rule):
            beside = ", ".join(str(key) for key in rule if key != name)
            raise StageError(f"{WHERE}.rule.{name}: no such key beside {beside}; leave it out")
    if "cost" in rule:
        _check_numbers(rule["cost"], ERRORS, f"{WHERE}.rule.cost")
        if set(rule["cost"]) != set(ERRORS):
            raise StageError(f"{WHERE}.rule.cost wants both: {{false_positive: 1, false_negative: 5}}")
    else:
        _check_metric(rule["maximize"], f"{WHERE}.rule.maximize")
        _check_numbers(rule.get("at_least", {}), METRICS, f"{WHERE}.rule.at_least")


def describe_rule(rule: Mapping[str, Any]) -> str:
    """Say a rule in words."""
    if "cost" in rule:
        cost = rule["cost"]
        return f"least cost, false positive {cost['false_positive']}, false negative {cost['false_negative']}"
    bounds = " and ".join(f"{name} ≥ {bound}" for name, bound in (rule.get("at_least") or {}).items())
    return f"maximize {rule['maximize']}" + (f" where {bounds}" if bounds else "")


def _check_metric(name: Any, where: str) -> None:
    if name not in METRICS:
        raise StageError(f"{where}: no such metric {name}; {did_you_mean(str(name), METRICS)}")


def _check_numbers(given: Any, names: Sequence[str], where: str) -> None:
    if not isinstance(given, Mapping):
        raise StageError(f"{where} is {given!r}; use {{{names[0]}: number}}")
    for name, value in given.items():
        if name not in names:
            raise StageError(f"{where}: no such key {name}; {did_you_mean(str(name), names)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise StageError(f"{where}.{name} is {value!r}; use a number from 0 up")


def _positive_class(labels: np.ndarray, wanted: Any) -> Any:
    """Return the class that is named, or the last of two."""
    classes = sorted(set(labels.tolist()))
    names = [str(name) for name in classes]
    if len(classes) != 2:
        raise StageError(f"{WHERE} needs two classes, and there are {len(classes)}; type {WHERE}=null")
    if wanted is not None and str(wanted) not in names:
        raise StageError(f"{WHERE}.positive: no such class {wanted}; {did_you_mean(str(wanted), names)}")
    return classes[1 if wanted is None else names.index(str(wanted))]


def _hold_out(labels: np.ndarray, share: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions to learn from and those held out; classes keep their shares in both."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise StageError(f"{WHERE}.validation_share is {share!r}; use a share between 0 and 1, such as 0.2")
    try:
        learned, held = train_test_split(
            np.arange(len(labels)), test_size=share, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise StageError(
            f"{len(labels):,} training rows cannot spare {share:.0%} for {WHERE}: {error}"
        ) from error
    if len(set(labels[held].tolist())) < 2:
        raise StageError(f"{WHERE}: one class is too rare to be among {len(held):,} rows held out")
    return learned, held


def _between(levels: np.ndarray) -> np.ndarray:
    """Return thresholds below, between and above the probabilities that occur, in ascending order."""
    import numpy as np

    above = (levels[-1] + 1) / 2 if levels[-1] < 1 else np.nextafter(1, 2)
    return np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [above]])


def _measure(hits: np.ndarray, level: np.ndarray) -> dict[str, np.ndarray]:
    """Return each metric, and each kind of error's share, at each threshold.

    Args:
        hits: Which rows have the positive class, `(n_rows,)`.
        level: The number of each row's probability among those that occur. The threshold below
            number `i` decides positive where it is `i` or more.
    """
    import numpy as np

    def from_level_on(rows: np.ndarray) -> np.ndarray:
        counts = np.bincount(level[rows], minlength=level.max() + 2)
        return counts[::-1].cumsum()[::-1].astype(float)

    true, false = from_level_on(hits), from_level_on(~hits)
    positives, negatives, rows = true[0], false[0], float(len(hits))
    recall, specificity = true / positives, 1 - false / negatives
    named = true + false
    precision = np.divide(true, named, out=np.zeros_like(true), where=named > 0)
    spread = np.sqrt(named * (rows - named) * positives * negatives)
    shared = true * rows - named * positives
    return {
        "accuracy": (true + negatives - false) / rows,
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": precision,
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * true / (named + positives),
        "matthews_corrcoef": np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 0),
        "false_positive": false / rows,
        "false_negative": (positives - true) / rows,
    }


def _best(rule: Mapping[str, Any], thresholds: np.ndarray, figures: dict[str, np.ndarray]) -> int:
    """Return the number of the threshold that does best by the rule; of equals the one nearest to 0.5."""
    import numpy as np

    allowed = np.ones(len(thresholds), bool)
    for metric, bound in (rule.get("at_least") or {}).items():
        allowed &= figures[metric] >= bound
    if not allowed.any():
        best = ", ".join(f"{name} {figures[name].max():.4g}" for name in rule["at_least"])
        raise StageError(
            f"{WHERE}.rule.at_least: no threshold meets {describe_rule(rule).partition(' where ')[2]};"
            f" the greatest, each by itself, are {best}"
        )
    if "cost" in rule:
        score = -sum(figures[name] * weight for name, weight in rule["cost"].items())
    else:
        score = figures[rule["maximize"]]
    best_score = score[allowed].max()
    equals = np.flatnonzero(allowed & np.isclose(score, best_score, rtol=1e-12, atol=1e-12))
    return int(equals[np.abs(thresholds[equals] - 0.5).argmin()])


def _at(figures: dict[str, np.ndarray], place: int) -> dict[str, float]:
    return {name: float(values[place]) for name, values in figures.items() if name in METRICS}
