"""Decide whether a run is good enough to be published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from headrace.errors import StageError, did_you_mean

RULES = ("min", "max", "max_drop", "min_gain")
INTERVAL = "interval"
WHERE = "stages.gate.params"

# Which figure must meet a rule: the one found, or where intervals are asked for the worse end.
_FIGURE = {
    False: {"min": "value", "max": "value", "max_drop": "gain", "min_gain": "gain"},
    True: {"min": "low", "max": "high", "max_drop": "gain_low", "min_gain": "gain_low"},
}


def check_thresholds(
    metrics: dict[str, Any],
    evaluation: dict[str, Any] | None = None,
    validation: dict[str, Any] | None = None,
    smoke: dict[str, Any] | None = None,
    thresholds: dict[str, dict[Literal["min", "max", "max_drop", "min_gain", "interval"], float | bool]]
    | None = None,
    slices: dict[
        str, dict[str, dict[Literal["min", "max", "max_drop", "min_gain", "interval"], float | bool]]
    ]
    | None = None,
    min_rows: int = 1,
    max_rejected: float | None = None,
    package: bool = True,
    enforce: bool = True,
) -> dict[str, Any]:
    """Hold a run against its bounds, all of them; a bound is met when it is reached exactly.

    Args:
        metrics: Metric to value; NaN meets no bound.
        evaluation: What `evaluate` found beside them: intervals, changes against the champion, slices.
        validation: The report of `validate`.
        smoke: What came of trying the package in a fresh process; None where nobody tried.
        thresholds: Metric to rules: `min`, `max`, and against the champion `max_drop`, `min_gain`, both
            counted so that a greater figure is a better one. With `interval: true` the worse end of the
            interval must meet them. None and {} let everything through.
        slices: The same for each group of a slice (`sex`; `carrier,origin` for a crossing), or of one
            group (`sex=Female`).
        min_rows: Groups with fewer rows are not judged.
        max_rejected: Share of the rows, 0 to 1, that validation may have rejected; None: any.
        package: Whether the package must load and answer, where somebody tried it.
        enforce: False tells what failed and passes all the same.

    Without a champion, rules against it are met. A figure that a group does not determine, such as the
    area under a curve where there is one class, is not judged, nor is an interval of very few rows.

    Raises:
        StageError: A metric or slice that was not measured, an unknown rule, a bound that is no number, or
            an interval that nobody computed.
    """
    whole = _Figures(
        slice=None,
        where=f"{WHERE}.thresholds",
        metrics=_whole(metrics, evaluation),
        alone=_why_alone(evaluation or {}),
        resampled=bool((evaluation or {}).get("resamples")),
    )
    checks = list(_check_all(whole, thresholds or {}))
    for name, rules in (slices or {}).items():
        where = f"{WHERE}.slices.{name}"
        for group in _find_groups(name, evaluation or {}):
            if group["rows"] >= min_rows:
                found = replace(whole, slice=group["name"], where=where, metrics=group["metrics"])
                checks += _check_all(found, rules)
    checks += _check_data(validation, max_rejected)
    checks += _check_package(smoke if package else None)
    passed = not enforce or all(check["passed"] for check in checks)
    return {"gate": {"passed": passed, "enforced": enforce, "checks": checks}}


@dataclass(frozen=True, slots=True)
class _Figures:
    """What was measured on all test rows, or on those of one group.

    `alone` says why nothing is compared, `resampled` whether there are intervals at all.
    """

    slice: str | None
    where: str
    alone: str
    resampled: bool
    metrics: Mapping[str, Mapping[str, Any]]


def _whole(metrics: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return what is known of each metric; `metrics` says its value."""
    about = (evaluation or {}).get("metrics", {})
    return {name: {**about.get(name, {}), "value": value} for name, value in metrics.items()}


def _why_alone(evaluation: Mapping[str, Any]) -> str:
    champion = evaluation.get("champion") or {}
    return str(champion.get("why") or "no champion to compare with")


def _find_groups(name: str, evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    slices = evaluation.get("slices", [])
    by_slice = {",".join(one["by"]): one["groups"] for one in slices}
    if name in by_slice:
        return list(by_slice[name])
    groups = {group["name"]: group for one in slices for group in one["groups"]}
    if name in groups:
        return [groups[name]]
    hint = "name it in stages.evaluate.params.slices"
    if by_slice:
        hint = did_you_mean(name, [*by_slice, *groups])
    raise StageError(f"{WHERE}.slices.{name}: no such slice was measured; {hint}")


def _check_all(found: _Figures, thresholds: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(thresholds, Mapping):
        raise StageError(f"{found.where}: {thresholds!r} is no set of bounds; use {{metric: {{min: x}}}}")
    for metric, rules in thresholds.items():
        if not isinstance(rules, Mapping):
            raise StageError(
                f"{found.where}.{metric}: {rules!r} is no bound; use {{min: x}}, {{max: x}} or both"
            )
        if metric not in found.metrics:
            hint = did_you_mean(metric, found.metrics)
            raise StageError(f"{found.where}.{metric}: no such metric was measured; {hint}")
        by_interval = rules.get(INTERVAL, False)
        if not isinstance(by_interval, bool):
            raise StageError(f"{found.where}.{metric}.{INTERVAL}: {by_interval!r} is neither true nor false")
        for rule, wanted in rules.items():
            if rule != INTERVAL:
                yield _check(found, metric, rule, wanted, by_interval)


def _check(found: _Figures, metric: str, rule: str, wanted: Any, by_interval: bool) -> dict[str, Any]:
    where = f"{found.where}.{metric}"
    if rule not in RULES:
        raise StageError(f"{where}.{rule}: no such rule; use {', '.join(RULES[:-1])} or {RULES[-1]}")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise StageError(f"{where}.{rule}: {wanted!r} is not a number")
    about = found.metrics[metric]
    changes = rule in ("max_drop", "min_gain")
    if about["value"] is None:
        return _told(found.slice, metric, rule, wanted, None, True, about.get("why") or "not determined")
    if changes and about.get("gain") is None:
        return _told(found.slice, metric, rule, wanted, None, True, found.alone)
    figure: Any = about.get(_FIGURE[by_interval][rule])
    if by_interval and figure is None:
        if not found.resampled:
            raise StageError(
                f"{where}.{INTERVAL}: there is no interval; set stages.evaluate.params.bootstrap=1000"
            )
        return _told(found.slice, metric, rule, wanted, None, True, about.get("why") or "no interval")
    if not isinstance(figure, int | float):
        raise StageError(f"{where}: the metric is {figure!r}, which is not a number")
    detail = "worse end of the interval" if by_interval else ""
    if rule == "max_drop":
        return _told(found.slice, metric, rule, wanted, -figure, -figure <= wanted, detail)
    passed = figure <= wanted if rule == "max" else figure >= wanted
    return _told(found.slice, metric, rule, wanted, figure, passed, detail)


def _check_data(validation: Mapping[str, Any] | None, max_rejected: float | None) -> Iterable[dict[str, Any]]:
    if max_rejected is None:
        return
    if not 0 <= max_rejected <= 1:
        raise StageError(f"{WHERE}.max_rejected is {max_rejected}; use a share from 0 to 1")
    if validation is None:
        raise StageError(f"{WHERE}.max_rejected: nothing was validated; set it to null")
    share = validation["share"]
    rows = f"{validation['rejected']:,} of {validation['rows']:,} rows"
    yield _told(None, "rejected rows", "max", max_rejected, share, share <= max_rejected, rows)


def _check_package(smoke: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
    if smoke is None:
        return
    passed = smoke["loads"] and smoke["answers"]
    found = "answers" if passed else "no answer" if smoke["loads"] else "does not load"
    yield _told(None, "package", "in a fresh process", "answers", found, passed, smoke["error"])


def _told(
    group: str | None, metric: str, rule: str, wanted: Any, found: Any, passed: bool, detail: str = ""
) -> dict[str, Any]:
    return {
        "metric": metric,
        "slice": group,
        "rule": rule,
        "wanted": wanted,
        "found": found,
        "passed": bool(passed),
        "detail": detail,
    }
