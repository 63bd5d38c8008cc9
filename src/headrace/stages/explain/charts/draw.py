"""Every chart that an analysis has numbers for."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.charts.classes import draw_calibration, draw_confusion
from headrace.stages.explain.charts.curves import draw_precision_recall, draw_roc
from headrace.stages.explain.charts.features import draw_dependence, draw_importance
from headrace.stages.explain.charts.learning import draw_learning
from headrace.stages.explain.charts.residuals import draw_residual_distribution, draw_residuals

CHARTS = {
    "confusion": ("confusion", draw_confusion),
    "roc": ("roc", draw_roc),
    "precision_recall": ("precision_recall", draw_precision_recall),
    "calibration": ("calibration", draw_calibration),
    "residuals": ("residuals", draw_residuals),
    "residual_distribution": ("residuals", draw_residual_distribution),
    "importance": ("importance", draw_importance),
    "partial_dependence": ("partial_dependence", draw_dependence),
    "learning_curve": ("learning_curve", draw_learning),
}
"""Name of a figure to the part of the analysis that it shows, and what draws it."""


def draw_charts(analysis: dict[str, Any]) -> dict[str, Any]:
    """Return the charts by name; a part that says `why` it has no numbers gets none."""
    drawn = {
        name: draw(analysis)
        for name, (part, draw) in CHARTS.items()
        if part in analysis and "why" not in analysis[part]
    }
    return {name: chart for name, chart in drawn.items() if chart is not None}
