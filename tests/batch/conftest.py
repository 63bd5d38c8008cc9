"""A project with a published model and a table to score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.runtime_inline import InlineRuntime
from headrace.batch.plan import Batch, Summary, plan_batch
from headrace.batch.run import run_batch
from headrace.config.predict import PredictNode
from tests import packages


class Scored:
    """A project in which batches run inline; `lake` has the model `birds`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / ".headrace"
        self.lake = EmbeddedLake(self.root / "lake")
        self.progress: list[int] = []
        packages.publish(self.lake, packages.make())

    def plan(self, source: str, output: str, **more: Any) -> Batch:
        node = PredictNode(model="birds", input=source, output=output, **more)
        return plan_batch(node, self.lake, self.root)

    def run(self, source: str, output: str, **more: Any) -> Summary:
        batch = self.plan(source, output, **more)
        self.progress = []
        return run_batch(batch, lambda: InlineRuntime(batch.cache), self.progress.append)


@pytest.fixture
def birds(project: Path) -> Scored:
    return Scored(project)


@pytest.fixture
def rows() -> pd.DataFrame:
    """100 rows that birds answers, with a column that it does not read."""
    table = packages.rows(seed=1, count=100).drop(columns=["species"])
    table.insert(0, "note", [f"n{number}" for number in range(100)])
    return table
