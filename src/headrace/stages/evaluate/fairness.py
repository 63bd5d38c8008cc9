"""How differently a classifier of two classes treats groups, in fairlearn's figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError
from headrace.stages.evaluate.resample import FEWEST_ROWS

if TYPE_CHECKING:
    import numpy as np

    from headrace.stages.evaluate.class_measure import Answers
    from headrace.stages.evaluate.slices import Slice

WHERE = "stages.evaluate.params.fairness"
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "false_negative_rate")
DIFFERENCES = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "equalized_odds_ratio",
)
Rate = Callable[..., float]


def check_fairness(wanted: Sequence[Any], answers: Answers) -> None:
    """Raise `StageError` where fairness is asked for and there are not two classes."""
    if wanted and answers.positive is None:
        raise StageError(
            f"{WHERE} compares how often groups get the positive class, so it needs two classes; here"
            f" there are {len(answers.classes)}: type {WHERE}=[], and slice instead"
        )


def compare_groups(answers: Answers, weights: np.ndarray, attribute: Slice) -> dict[str, Any]:
    """Return the rates of each group of an attribute, and the differences between groups.

    Rates are those of fairlearn's `MetricFrame`. Demographic parity compares selection rates (Agarwal
    et al. 2018), equal opportunity true positive rates, and equalized odds takes the greater gap of
    true and false positive rates (Hardt, Price, Srebro 2016). A rate is None where a group has no row
    to take it from. The differences leave such rates out, and groups of fewer than `FEWEST_ROWS` rows:
    chance alone drives theirs to 0 and 1.
    """
    groups = [group for group in attribute.groups if len(group.rows)]
    large = [group for group in groups if len(group.rows) >= FEWEST_ROWS]
    shown = _frame(answers, weights, [group.rows for group in groups])
    rates = shown.by_group
    told = [
        {"name": group.name, "rows": len(group.rows), "compared": group in large}
        | {name: _plain(rates[name].loc[at]) for name in RATES}
        for at, group in enumerate(groups)
    ]
    frame = None
    if len(large) > 1:
        frame = shown if large == groups else _frame(answers, weights, [group.rows for group in large])
    return {
        "attribute": ", ".join(attribute.by),
        "groups": told,
        "differences": _differences(frame),
        "left_out": attribute.describe()["left_out"],
    }


def _frame(answers: Answers, weights: np.ndarray, groups: Sequence[np.ndarray]) -> Any:
    """Return fairlearn's `MetricFrame` of the rates, by the number of the group.

    It is given the sum of the weights of all rows that are alike, instead of the rows: the rates are
    the same, and it would walk through each row in Python.
    """
    import numpy as np
    from fairlearn import metrics as fair

    rows = np.concatenate(groups)
    kind = np.repeat(4 * np.arange(len(groups)), [len(group) for group in groups])
    kind += 2 * (answers.truth[rows] == answers.positive) + (answers.predicted[rows] == answers.positive)
    counted = np.bincount(kind, weights[rows])
    kinds = np.unique(kind)
    metrics: dict[str, Rate] = {
        "selection_rate": _where_there_is(fair.selection_rate, None),
        "true_positive_rate": _where_there_is(fair.true_positive_rate, 1),
        "false_positive_rate": _where_there_is(fair.false_positive_rate, 0),
        "false_negative_rate": _where_there_is(fair.false_negative_rate, 1),
    }
    return fair.MetricFrame(
        metrics=metrics,
        y_true=kinds // 2 % 2,
        y_pred=kinds % 2,
        sensitive_features=kinds // 4,
        sample_params={name: {"sample_weight": counted[kinds]} for name in metrics},
    )


def _differences(frame: Any) -> dict[str, float | None]:
    """Return the gaps between the greatest and the smallest rate, under fairlearn's names for them."""
    if frame is None:
        return dict.fromkeys(DIFFERENCES)
    gap, ratio = frame.difference(errors="coerce"), frame.ratio(errors="coerce")
    odds = ["true_positive_rate", "false_positive_rate"]
    found = (
        gap["selection_rate"],
        ratio["selection_rate"],
        gap["true_positive_rate"],
        gap[odds].max(),
        ratio[odds].min(),
    )
    return dict(zip(DIFFERENCES, map(_plain, found), strict=True))


def _where_there_is(rate: Rate, label: int | None) -> Rate:
    """Make a rate NaN where no row has the label that it is a share of: fairlearn's own answer is 0.

    None stands for any label.
    """

    def known(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
        counted = sample_weight if label is None else sample_weight[y_true == label]
        if not counted.sum() > 0:
            return float("nan")
        return rate(y_true, y_pred, sample_weight=sample_weight, pos_label=1)

    return known


def _plain(value: Any) -> float | None:
    return float(value) if value == value else None
