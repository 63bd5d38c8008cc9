"""Figures as pictures: one, or a dict of several by name."""

from headrace.adapters.codec_figure.codec import FigureCodec
from headrace.adapters.codec_figure.vega_lite import draw_png

__all__ = ["FigureCodec", "draw_png"]
