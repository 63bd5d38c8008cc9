"""Charts, made of the numbers of an analysis and of nothing else."""

from headrace.stages.explain.charts.draw import draw_charts

__all__ = ["draw_charts"]
