"""The page of `headrace diff --html`: what differs, and plots side by side. One file, nothing loaded."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from headrace.core.artifact import Artifact
from headrace.core.compare import Difference
from headrace.core.ports import LakeReader, ObjectInfo
from headrace.core.record import RunRecord
from headrace.errors import LakeError, WrongWord

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top;
overflow-wrap: anywhere; }
.plots { display: grid; gap: 1rem; grid-template-columns: 1fr 1fr; }
img { max-width: 100%; }
iframe { border: 0; height: 32rem; width: 100%; }
"""


def write_page(
    file: Path,
    left: RunRecord,
    right: RunRecord,
    differences: Sequence[Difference],
    open_lake: Callable[[], LakeReader],
) -> None:
    """Write the page, whole or not at all. Raises `WrongWord` where it cannot be written there."""
    title = escape(f"{left.id} and {right.id}")
    rows = "".join(
        f"<tr><td>{escape(d.section)}</td><td>{escape(d.name)}</td><td>{escape(str(d.left))}</td>"
        f"<td>{escape(str(d.right))}</td></tr>"
        for d in differences
    )
    head = f"<tr><th></th><th></th><th>{escape(left.id)}</th><th>{escape(right.id)}</th></tr>"
    plots = "".join(_plots(left, right, open_lake))
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1><table>{head}{rows}</table>{plots}</html>\n"
    )
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".headrace-") as folder:
            temporary = Path(folder) / "page"
            temporary.write_text(text, encoding="utf-8", errors="replace")
            temporary.replace(file)
    except OSError as error:
        raise WrongWord(f"--html {file}: the page cannot be written there: {error}") from error


def _plots(left: RunRecord, right: RunRecord, open_lake: Callable[[], LakeReader]) -> Iterator[str]:
    sides = [
        {name: a for stage in record.stages for name, a in stage.outputs.items() if a.codec == "figure"}
        for record in (left, right)
    ]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        pictures = "".join(f"<div>{_picture(open_lake, side.get(name), name)}</div>" for side in sides)
        yield f'<h2>{escape(name)}</h2><div class="plots">{pictures}</div>'


def _picture(open_lake: Callable[[], LakeReader], artifact: Artifact | None, name: str) -> str:
    """Return a figure as an element that holds all of it; its scripts see nothing outside their frame."""
    if artifact is None:
        return "none"
    try:
        lake = open_lake()
        listing = lake.list(artifact.commit, prefix=f"{artifact.path}/")
        files = {Path(info.path).suffix: info for info in listing if isinstance(info, ObjectInfo)}
        kind = next((suffix for suffix in (".png", ".html") if suffix in files), None)
        if kind is None:
            return "no picture"
        data = lake.local_path(artifact.commit, files[kind].path).read_bytes()
    except LakeError as error:
        return escape(f"cannot be read: {error}")
    encoded = base64.b64encode(data).decode()
    if kind == ".png":
        return f'<img alt="{escape(name)}" src="data:image/png;base64,{encoded}">'
    source = f"data:text/html;base64,{encoded}"
    return f'<iframe sandbox="allow-scripts" title="{escape(name)}" src="{source}"></iframe>'
