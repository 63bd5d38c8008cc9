"""What a model's evaluation does not show, said in words that follow from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.reports.artifacts import Artifacts
from headrace.reports.numbers import percent, tell

FEW_ROWS = 200  # with fewer an accuracy of 0.9 is known to 4 points at best
FEW_IN_GROUP = 50
WIDE = 0.1  # of an interval of a metric between 0 and 1
NAMED_AT_MOST = 5
BOUNDED = ("accuracy", "balanced_accuracy", "roc_auc", "f1", "f1_macro", "r2")


def find_limits(own: Artifacts, evaluation: Mapping[str, Any]) -> list[str]:
    """Return the limits that the experiment names in `card.limits`, and those that the numbers show."""
    named = (own.record.config.get("card") or {}).get("limits") or []
    told = [str(one) for one in ([named] if isinstance(named, str) else named)]
    return [*told, *_of_data(own), *_of_evaluation(evaluation)]


def _of_data(own: Artifacts) -> Iterator[str]:
    validation = own.document("validation")
    if validation.get("on_invalid") == "skip":
        yield "The data was not validated."
    share = validation.get("share") or 0.0
    if share:
        rejected = f"{validation['rejected']:,} of {validation['rows']:,} rows ({percent(share)})"
        yield f"{rejected} do not fit the schema: the model never saw such rows, nor was judged on them."


def _of_evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    if not evaluation:
        return
    rows = evaluation.get("rows", 0)
    if rows < FEW_ROWS:
        yield f"There are {rows:,} test rows: differences of a few points may be chance."
    for name in BOUNDED:
        entry = evaluation["metrics"].get(name) or {}
        low, high = entry.get("low"), entry.get("high")
        if low is not None and high is not None and high - low > WIDE:
            yield f"{name} is known to lie between {tell(low)} and {tell(high)} only."
            break
    small = [
        f"{group['name']} ({group['rows']:,})"
        for one in evaluation.get("slices", ())
        for group in one["groups"]
        if group["rows"] < FEW_IN_GROUP
    ]
    if small:
        more = f" and {len(small) - NAMED_AT_MOST} more" if len(small) > NAMED_AT_MOST else ""
        named = ", ".join(small[:NAMED_AT_MOST])
        yield f"Groups with fewer than {FEW_IN_GROUP} rows say little: {named}{more}."
    if not evaluation.get("slices"):
        yield "No slices were measured, so nothing is known of groups within the data."
    for name, entry in evaluation["metrics"].items():
        value, baseline = entry.get("value"), entry.get("baseline")
        if value is None or baseline is None or value == baseline:
            continue
        if (value > baseline) != bool(entry.get("greater_is_better")):
            yield f"{name} is worse than the baseline's ({tell(value)}, baseline {tell(baseline)})."
