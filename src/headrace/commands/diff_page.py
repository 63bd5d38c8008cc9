"""The page of `headrace diff --html`: what differs, and plots side by side. One file, nothing loaded."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from headrace.core.artifact import Artifact
from headrace.core.compare import Difference
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord
from headrace.project import open_lake

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top;
overflow-wrap: anywhere; }
.plots { display: grid; gap: 1rem; grid-template-columns: 1fr 1fr; }
img { max-width: 100%; }
"""


def write_page(file: Path, left: RunRecord, right: RunRecord, differences: Sequence[Difference]) -> None:
    """Write the page, whole or not at all."""
    title = f"{left.id} and {right.id}"
    rows = "".join(
        f"<tr><td>{escape(d.section)}</td><td>{escape(d.name)}</td><td>{escape(str(d.left))}</td>"
        f"<td>{escape(str(d.right))}</td></tr>"
        for d in differences
    )
    head = f"<tr><th></th><th></th><th>{escape(left.id)}</th><th>{escape(right.id)}</th></tr>"
    plots = "".join(_plots(left, right))
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><table>{head}{rows}</table>{plots}</html>\n"
    )
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, file)


def _plots(left: RunRecord, right: RunRecord) -> Iterator[str]:
    sides = [
        {name: a for stage in record.stages for name, a in stage.outputs.items() if a.codec == "figure"}
        for record in (left, right)
    ]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    if not names:
        return
    lake = open_lake()
    for name in names:
        pictures = "".join(f"<div>{_picture(lake, side.get(name), name)}</div>" for side in sides)
        yield f'<h2>{escape(name)}</h2><div class="plots">{pictures}</div>'


def _picture(lake: LakeReader, artifact: Artifact | None, name: str) -> str:
    if artifact is None:
        return "none"
    found = [info for info in lake.list(artifact.commit, prefix=artifact.path) if info.path.endswith(".png")]
    if not found:
        return "no picture"
    data = lake.local_path(artifact.commit, found[0].path).read_bytes()
    encoded = base64.b64encode(data).decode()
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{encoded}">'
