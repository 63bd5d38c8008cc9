"""The picture of a pipeline: one layout, drawn for a terminal, as SVG and as Mermaid."""

from headrace.core.picture.drawing import Drawing, Frame, Label, Wire
from headrace.core.picture.layout import arrange
from headrace.core.picture.mermaid import to_mermaid
from headrace.core.picture.model import Box, Link, Picture, picture_of_plan, picture_of_run
from headrace.core.picture.svg import to_svg
from headrace.core.picture.text import to_text

__all__ = [
    "Box",
    "Drawing",
    "Frame",
    "Label",
    "Link",
    "Picture",
    "Wire",
    "arrange",
    "picture_of_plan",
    "picture_of_run",
    "to_mermaid",
    "to_svg",
    "to_text",
]
