"""Decide whether a run is good enough to be published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Literal

from headrace.errors import StageError, did_you_mean

RULES = ("min", "max")
WHERE = "stages.gate.params.thresholds"


def check_thresholds(
    metrics: dict[str, Any],
    thresholds: dict[str, dict[Literal["min", "max"], float]] | None = None,
    enforce: bool = True,
) -> dict[str, Any]:
    """Hold each metric against its bounds; a bound is met when it is reached exactly.

    Args:
        metrics: Metric to value; NaN meets no bound.
        thresholds: Metric to `{min: x}`, `{max: x}` or both. None and {} let everything through.
        enforce: False tells what failed and passes all the same.

    Raises:
        StageError: A metric that was not measured, a rule other than min and max, or a bound that is
            no number.
    """
    checks = [
        _check(metrics, metric, rule, wanted)
        for metric, rules in (thresholds or {}).items()
        for rule, wanted in _bounds(metric, rules)
    ]
    passed = not enforce or all(check["passed"] for check in checks)
    return {"gate": {"passed": passed, "checks": checks}}


def _bounds(metric: str, rules: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(rules, Mapping):
        raise StageError(f"{WHERE}.{metric}: {rules!r} is no bound; use {{min: x}}, {{max: x}} or both")
    return rules.items()


def _check(metrics: dict[str, Any], metric: str, rule: str, wanted: Any) -> dict[str, Any]:
    where = f"{WHERE}.{metric}"
    if metric not in metrics:
        raise StageError(f"{where}: no such metric was measured; {did_you_mean(metric, metrics)}")
    if rule not in RULES:
        raise StageError(f"{where}.{rule}: no such rule; use {' or '.join(RULES)}")
    if isinstance(wanted, bool) or not isinstance(wanted, Real):
        raise StageError(f"{where}.{rule}: {wanted!r} is not a number")
    found = metrics[metric]
    if not isinstance(found, Real):
        raise StageError(f"{where}: the metric is {found!r}, which is not a number")
    passed = found >= wanted if rule == "min" else found <= wanted
    return {"metric": metric, "rule": rule, "wanted": wanted, "found": found, "passed": bool(passed)}
