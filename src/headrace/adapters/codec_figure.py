"""Figures: matplotlib as PNG, plotly as HTML. Neither is a dependency: a figure brings its library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.errors import StageError

_MATPLOTLIB = ("matplotlib.figure", "Figure")
_PLOTLY = ("plotly.basedatatypes", "BaseFigure")


class FigureCodec:
    """Stores a figure as a directory with `figure.png` or `figure.html`; reading gives its path.

    A picture cannot be turned back into a figure. The HTML holds the whole of plotly.js (about
    4 MB), so that it opens without a network.
    """

    name = "figure"
    suffix = ""

    def accepts(self, value: object) -> bool:
        names = _mro(value)
        return _MATPLOTLIB in names or _PLOTLY in names

    def write(self, value: Any, path: Path) -> None:
        path.mkdir()
        if _MATPLOTLIB in _mro(value):
            # Without the name of the software (with its version) the bytes depend on the picture alone.
            value.savefig(path / "figure.png", format="png", dpi=150, metadata={"Software": None})
        else:
            # Plotly would invent a random id for the element at each call.
            value.write_html(path / "figure.html", include_plotlyjs=True, div_id="figure")

    def read(self, path: Path, wanted: str) -> Any:
        if wanted not in ("", "pathlib.Path"):
            raise StageError(
                f"{path.name} is a stored figure, which cannot be given as {wanted}.\n"
                "      Annotate the argument with pathlib.Path: it is a directory with the picture."
            )
        return path


def _mro(value: object) -> set[tuple[str, str]]:
    return {(cls.__module__, cls.__qualname__) for cls in type(value).__mro__}
