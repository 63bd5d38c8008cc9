"""Figures: Altair as PNG and Vega-Lite, matplotlib as PNG, plotly as HTML.

Matplotlib and plotly are no dependencies: a figure brings its library.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from headrace.adapters.codec_figure.vega_lite import write_chart
from headrace.errors import StageError

_ALONE = "figure"
_NAME = re.compile(r"\w[\w .-]*")


class FigureCodec:
    """Stores figures as a directory; reading gives its path.

    A figure is stored as `figure.png` (Altair, matplotlib) and `figure.json` (Altair: the
    specification in Vega-Lite, its data in it) or as `figure.html` (plotly). A dict from names to
    figures, of any of the three libraries, is stored in the same way under these names.

    A picture cannot be turned back into a figure. The HTML holds the whole of plotly.js (about
    4 MB), so that it opens without a network.
    """

    name = "figure"
    suffix = ""

    def accepts(self, value: object) -> bool:
        if isinstance(value, dict):
            return bool(value) and all(_library(item) for item in value.values())
        return _library(value) != ""

    def write(self, value: Any, path: Path) -> None:
        figures = value if isinstance(value, dict) else {_ALONE: value}
        for name in figures:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise StageError(
                    f"{name!r} cannot be the name of a figure, which becomes that of a file.\n"
                    "      Use letters, digits, dots, spaces, - and _."
                )
        path.mkdir()
        for name, figure in figures.items():
            _write_one(figure, path, name)

    def read(self, path: Path, wanted: str) -> Any:
        if wanted not in ("", "pathlib.Path"):
            raise StageError(
                f"{path.name} is a stored figure, which cannot be given as {wanted}.\n"
                "      Annotate the argument with pathlib.Path: it is a directory with the picture."
            )
        return path


def _write_one(figure: Any, folder: Path, name: str) -> None:
    library = _library(figure)
    if library == "altair":
        write_chart(figure, folder, name)
    elif library == "matplotlib":
        # Without the name of the software (with its version) the bytes depend on the picture alone.
        figure.savefig(folder / f"{name}.png", format="png", dpi=150, metadata={"Software": None})
    else:
        # Plotly would invent a random id for the element at each call.
        figure.write_html(folder / f"{name}.html", include_plotlyjs=True, div_id="figure")


def _library(value: object) -> str:
    """Return the library whose figure `value` is, or ''. Imports none of them."""
    for cls in type(value).__mro__:
        module, name = cls.__module__, cls.__qualname__
        # Altair's own classes lie in a module that is named after the version of Vega-Lite.
        if name == "TopLevelMixin" and module.startswith("altair."):
            return "altair"
        if (module, name) == ("matplotlib.figure", "Figure"):
            return "matplotlib"
        if (module, name) == ("plotly.basedatatypes", "BaseFigure"):
            return "plotly"
    return ""
