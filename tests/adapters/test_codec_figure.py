"""Figures become pictures, where a plotting library is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.adapters.codec_figure import FigureCodec
from headrace.errors import StageError
from headrace.testing.codec import digest_of


def test_accepts_no_stranger() -> None:
    """Only figures are figures; a class that happens to be called Figure is none."""
    assert not FigureCodec().accepts(type("Figure", (), {})())


def test_matplotlib_becomes_a_picture(tmp_path: Path) -> None:
    """A figure is stored as one PNG, twice with the same bytes, and read as its path."""
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 3, 2])
    assert FigureCodec().accepts(figure)
    for name in ("a", "b"):
        FigureCodec().write(figure, tmp_path / name)
    assert (tmp_path / "a" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert FigureCodec().read(tmp_path / "a", "") == tmp_path / "a"


def test_plotly_becomes_a_page(tmp_path: Path) -> None:
    """A figure is stored as one HTML page, twice with the same bytes."""
    figure = pytest.importorskip("plotly.graph_objects").Figure()
    assert FigureCodec().accepts(figure)
    for name in ("a", "b"):
        FigureCodec().write(figure, tmp_path / name)
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert (tmp_path / "a" / "figure.html").stat().st_size > 1_000_000


def test_reads_as_a_path_only(tmp_path: Path) -> None:
    """A picture is not turned back into a figure."""
    with pytest.raises(StageError, match=r"cannot be given as matplotlib\.figure\.Figure"):
        FigureCodec().read(tmp_path, "matplotlib.figure.Figure")
