"""What a gate's check says, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIGNS = {("min", True): "≥", ("min", False): "<", ("max", True): "≤", ("max", False): ">"}


def subject(check: Mapping[str, Any]) -> str:
    """Return what was judged: a metric, where it is so on one slice."""
    group = check.get("slice")
    return f"{check.get('metric')} on {group}" if group else str(check.get("metric"))


def failed_line(check: Mapping[str, Any]) -> str:
    """Say what was found and what was wanted."""
    detail = f" ({check['detail']})" if check.get("detail") else ""
    found = check["found"]
    found = f"{found:.6g}" if isinstance(found, float) else found
    return f"{subject(check)}: found {found}, wanted {check['rule']} {check['wanted']}{detail}"


def short_line(check: Mapping[str, Any]) -> str:
    """Say it in a few words, such as `accuracy 0.97 ≥ 0.95`."""
    rule, wanted = check.get("rule"), figure(check.get("wanted"))
    if check.get("found") is None:
        return f"{subject(check)} {rule} {wanted}: {check.get('detail')}"
    sign = SIGNS.get((str(rule), bool(check.get("passed"))))
    found = figure(check["found"])
    if sign:
        return f"{subject(check)} {found} {sign} {wanted}"
    if isinstance(check["found"], str):
        return f"{subject(check)} {found} {rule}"
    verb = "meets" if check.get("passed") else "breaks"
    return f"{subject(check)} {'drop' if rule == 'max_drop' else 'gain'} {found} {verb} {rule} {wanted}"


def figure(value: Any) -> str:
    """Return a number with four digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
