"""The model card (Mitchell and others 2019): what a model is for, how good it is, on whom, and where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.core.report import Block, Cell, Facts, Points, Table, under
from headrace.core.spec import TARGET
from headrace.reports.artifacts import Artifacts
from headrace.reports.limits import find_limits
from headrace.reports.numbers import interval, tell

GROUPS_AT_MOST = 40  # rows of a table of slices
METRICS_AT_MOST = 4  # columns of it, so that it fits on a page
HEADLINE = ("accuracy", "roc_auc", "recall", "precision", "balanced_accuracy", "rmse", "mae", "r2")

Evaluation = Mapping[str, Any]


def model_card(own: Artifacts) -> Iterator[Block]:
    """Yield what is known of the run's model; nothing where the run has neither model nor evaluation."""
    evaluation, record = own.document("evaluation"), own.record
    if not evaluation and not record.metrics and not record.config.get("card"):
        return
    yield Facts(tuple(_about(own, evaluation)))
    if evaluation:
        yield from under("Metrics", [_metrics(evaluation)])
        yield from under("Slices", (_slice(evaluation, one) for one in evaluation.get("slices", ())))
        fairness = evaluation.get("fairness", ())
        yield from under("Fairness", (block for one in fairness for block in _fairness(one)))
    elif record.metrics:
        rows = tuple((name, value) for name, value in record.metrics.items())
        yield Table(columns=("metric", "value"), rows=rows, caption="What was measured.")
    if limits := find_limits(own, evaluation):
        yield from under("Limits", [Points(tuple(limits))])


def _about(own: Artifacts, evaluation: Evaluation) -> Iterator[tuple[str, Cell]]:
    config = own.record.config
    card = config.get("card") or {}
    yield (
        "intended use",
        _text(card.get("intended_use")) or "not said: write card.intended_use in the experiment",
    )
    for name, value in card.items():
        if name not in ("intended_use", "limits"):
            yield str(name).replace("_", " "), _text(value)
    model = config.get("model") or {}
    if model.get(TARGET):
        yield "model", str(model[TARGET])
        params = ", ".join(f"{k} {_text(v)}" for k, v in model.items() if not k.startswith("_"))
        yield "params", params or "its defaults"
    if not evaluation:
        return
    yield "task", evaluation.get("task")
    yield "test rows", evaluation.get("rows")
    if evaluation.get("positive") is not None:
        yield "positive class", str(evaluation["positive"])
    if evaluation.get("weights"):
        yield "weights", evaluation["weights"]
    if threshold := evaluation.get("threshold"):
        yield "decision threshold", _threshold(threshold)
    if evaluation.get("baseline"):
        yield "baseline", f"{evaluation['baseline']} (scikit-learn's Dummy)"
    champion = evaluation.get("champion")
    if champion:
        yield (
            "champion",
            f"not compared: {champion['why']}" if champion.get("why") else "compared on the same rows",
        )


def _threshold(threshold: Mapping[str, Any]) -> str:
    rows = threshold.get("rows")
    on = f", chosen on {rows:,} rows that the model had not learned from" if isinstance(rows, int) else ""
    return f"{tell(threshold.get('value'))} by {_text(threshold.get('rule'))}{on}"


def _metrics(evaluation: Evaluation) -> Table:
    metrics = evaluation["metrics"]
    compared = any(entry.get("gain") is not None for entry in metrics.values())
    columns = ["metric", "value", "interval", "better", "baseline"]
    columns += ["champion", "gain", "gain interval"] if compared else []
    rows = []
    for name, entry in metrics.items():
        better = "greater" if entry.get("greater_is_better") else "less"
        row: list[Cell] = [name, entry.get("value"), _range(entry, ""), better, entry.get("baseline")]
        if compared:
            row += [entry.get("champion"), entry.get("gain"), _range(entry, "gain_")]
        rows.append(tuple(row))
    caption = _caption(evaluation)
    if compared:
        caption += " Gains over the champion are counted so that greater is better, on paired resamples."
    return Table(columns=tuple(columns), rows=tuple(rows), caption=caption)


def _caption(evaluation: Evaluation) -> str:
    said = f"On {evaluation['rows']:,} test rows."
    if evaluation.get("resamples"):
        level = f"{100 * evaluation['level']:g} %"
        said += f" Intervals: {level}, percentile bootstrap, {evaluation['resamples']:,} resamples."
    return said


def _range(entry: Mapping[str, Any], prefix: str) -> str:
    low, high = entry.get(f"{prefix}low"), entry.get(f"{prefix}high")
    if low is None or high is None:
        return str(entry.get("why") or "") if not prefix else ""
    return f"{tell(low)} to {tell(high)}"


def _slice(evaluation: Evaluation, one: Mapping[str, Any]) -> Table:
    groups = sorted(one["groups"], key=lambda group: -group["rows"])
    names = _headline(evaluation)
    rows = tuple(
        (group["name"], group["rows"], *(_group_cell(group["metrics"].get(name)) for name in names))
        for group in groups[:GROUPS_AT_MOST]
    )
    left_out = one.get("left_out") or {}
    more = max(len(groups) - GROUPS_AT_MOST, 0) + int(left_out.get("groups", 0) or 0 if left_out else 0)
    caption = f"By {', '.join(one['by'])}: figures and their intervals."
    return Table(columns=("group", "rows", *names), rows=rows, caption=caption, more=more)


def _headline(evaluation: Evaluation) -> Sequence[str]:
    """Return the metrics that a table of groups shows: those that people ask for first."""
    known = list(evaluation["metrics"])
    first = [name for name in HEADLINE if name in known]
    return [*first, *(name for name in known if name not in first)][:METRICS_AT_MOST]


def _group_cell(entry: Mapping[str, Any] | None) -> Cell:
    if entry is None:
        return None
    if entry.get("value") is None:
        return str(entry.get("why") or "")
    return interval(entry["value"], entry.get("low"), entry.get("high")).replace(" ", "\u00a0")


def _fairness(one: Mapping[str, Any]) -> Iterator[Block]:
    groups = one.get("groups") or []
    known = [name for name in (groups[0] if groups else {}) if name not in ("name", "rows")]
    figures = [name for name in known if any(_number(group.get(name)) is not None for group in groups)]
    rows = tuple((g["name"], g["rows"], *(_number(g.get(name)) for name in figures)) for g in groups)
    titles = tuple(name.replace("_", " ") for name in figures)
    caption = f"Fairness between groups of {one['attribute']} (fairlearn)."
    yield Table(columns=("group", "rows", *titles), rows=rows, caption=caption)
    apart = tuple(
        (name.replace("_", " "), _number(value)) for name, value in one.get("differences", {}).items()
    )
    if apart:
        yield Table(
            columns=("between the groups", "value"), rows=apart, caption="0 is equal; of a ratio 1 is."
        )


def _number(value: Any) -> Cell:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "" if value is None else tell(value) if not isinstance(value, bool) else str(value).lower()
