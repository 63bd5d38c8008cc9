"""A stage of one's own: it pulls extreme values in, so that a linear model is not led astray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def clip(valid: pd.DataFrame, columns: list[str], quantile: float = 0.01) -> dict[str, Any]:
    """Clip each column to its own quantiles, `quantile` from either end."""
    low = valid[columns].quantile(quantile)
    high = valid[columns].quantile(1 - quantile)
    clipped = valid[columns].clip(low, high, axis="columns")
    return {"table": valid.assign(**clipped)}
