"""Numbers as a person reads them."""

from __future__ import annotations

import math

BARS = "▁▂▃▄▅▆▇█"


def tell(value: object) -> str:
    """Say a value in four digits; whole numbers with commas."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Say a share in per cent; what is hardly anything is told apart from nothing."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def sparkline(counts: list[float]) -> str:
    """Draw counts as a line of bars, the highest as high as a letter; nothing stays a gap."""
    most = max(counts, default=0)
    if not most:
        return ""
    return "".join(BARS[max(math.ceil(8 * count / most) - 1, 0)] if count else " " for count in counts)


def interval(value: object, low: object, high: object) -> str:
    """Say a figure with its interval where there is one."""
    if low is None or high is None:
        return tell(value)
    return f"{tell(value)} [{tell(low)}, {tell(high)}]"
