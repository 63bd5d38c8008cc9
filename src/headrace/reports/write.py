"""A report as files: written whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from headrace.core.report import Report
from headrace.reports.html import to_html
from headrace.reports.markdown import FIGURES, to_markdown

FORMATS = ("html", "markdown")
PAGE, TEXT = "report.html", "report.md"


def write_report(report: Report, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write a report into a folder and return its files: the page, and the text with its pictures.

    What an earlier report left there is replaced, each file as a whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if "html" in formats:
        written.append(_replace(folder / PAGE, to_html(report).encode()))
    if "markdown" in formats:
        text, pictures = to_markdown(report)
        _replace_folder(folder, pictures)
        written.append(_replace(folder / TEXT, text.encode()))
    return written


def _replace(file: Path, content: bytes) -> Path:
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
        part.write(content)
    Path(part.name).chmod(0o644)
    os.replace(part.name, file)
    return file


def _replace_folder(folder: Path, pictures: dict[str, bytes]) -> None:
    """Put the pictures where the text expects them; those of an earlier report go."""
    with tempfile.TemporaryDirectory(dir=folder) as part:
        new = Path(part) / FIGURES
        for path, picture in pictures.items():
            file = Path(part) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture)
        shutil.rmtree(folder / FIGURES, ignore_errors=True)
        if new.is_dir():
            os.replace(new, folder / FIGURES)
