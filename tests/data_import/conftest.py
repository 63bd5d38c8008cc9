"""A fresh lake, a folder to import, a schema, and whether an import left anything behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.schema_pandera import PanderaChecker
from headrace.core.ports import MAIN
from headrace.testing.lake import write_files


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder `birds` of three files, one of them in a folder."""
    folder = tmp_path / "birds"
    write_files(folder, {"a.csv": "mass\n1\n2\n", "more/b.csv": "mass\n3\n", "notes.txt": "hello"})
    return folder


@pytest.fixture
def checker() -> PanderaChecker:
    return PanderaChecker(
        {"schema_type": "dataframe", "columns": {"mass": {"dtype": "int64", "greater_than": 0}}}
    )


@pytest.fixture
def untouched(lake: EmbeddedLake) -> Callable[[], bool]:
    """Tell whether `main` has its first commit only, and there is no other branch."""
    return lambda: len(lake.log(MAIN)) == 1 and [branch.name for branch in lake.branches()] == [MAIN]
