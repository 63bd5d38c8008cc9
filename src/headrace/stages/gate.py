"""Decide whether a run is good enough to be published."""

from __future__ import annotations

from typing import Any

from headrace.errors import StageError, did_you_mean

RULES = ("min", "max")


def check_thresholds(
    metrics: dict[str, Any], thresholds: dict[str, dict[str, float]] | None = None, enforce: bool = True
) -> dict[str, Any]:
    """Hold each metric against its bounds; a bound is met when it is reached exactly.

    Args:
        metrics: Metric to value; NaN meets no bound.
        thresholds: Metric to `{min: x}`, `{max: x}` or both. None and {} let everything through.
        enforce: False tells what failed and passes all the same.

    Raises:
        StageError: A metric that was not measured, or a rule other than min and max.
    """
    checks = [
        _check(metrics, metric, rule, wanted)
        for metric, rules in (thresholds or {}).items()
        for rule, wanted in rules.items()
    ]
    passed = not enforce or all(check["passed"] for check in checks)
    return {"gate": {"passed": passed, "checks": checks}}


def _check(metrics: dict[str, Any], metric: str, rule: str, wanted: float) -> dict[str, Any]:
    where = f"stages.gate.params.thresholds.{metric}"
    if metric not in metrics:
        raise StageError(f"{where}: no such metric was measured; {did_you_mean(metric, metrics)}")
    if rule not in RULES:
        raise StageError(f"{where}.{rule}: no such rule; use {' or '.join(RULES)}")
    found = metrics[metric]
    passed = found >= wanted if rule == "min" else found <= wanted
    return {"metric": metric, "rule": rule, "wanted": wanted, "found": found, "passed": bool(passed)}
