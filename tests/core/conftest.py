"""Source packages on the import path, written by the test and imported by nobody."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

Write = Callable[[Mapping[str, str]], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files (path: text) under a folder that is first on `sys.path`; again to change them."""
    root = tmp_path / "source"
    root.mkdir()
    monkeypatch.syspath_prepend(root)

    def write_files(files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        importlib.invalidate_caches()

    return write_files
