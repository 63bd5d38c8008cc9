"""Figures as pictures: one, or a dict of several by name."""

from headrace.adapters.codec_figure.codec import FigureCodec

__all__ = ["FigureCodec"]
