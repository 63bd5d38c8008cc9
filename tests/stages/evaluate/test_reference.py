"""The reference of the evaluation names what the stage writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from headrace.stages import evaluate, threshold
from headrace.stages.evaluate.measure import GREATER_IS_BETTER, WHY_NOT

DOCS = Path(__file__).parents[3] / "docs"


def words(page: str) -> set[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"\w+", code)}


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


def test_every_field_is_documented() -> None:
    """Each key of a document that holds everything is on the page, and each metric in the how-to."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=60), "g": rng.choice(["a", "b"], 60)})
    target = pd.Series(np.where(rows["x"] + rng.normal(size=60) > 0, "p", "n"), name="t")
    model = LogisticRegression().fit(rows[["x"]], target)
    choice = threshold.choose_threshold(
        {"rule": {"maximize": "f1"}}, model, rows[["x"]], target.to_numpy(), 0, lambda learned: model
    )
    found = evaluate.classification(
        threshold.apply_threshold(model, choice), rows[["x"]], target, rows[["x", "g"]], target,
        make_pipeline(LogisticRegression()).fit(rows[["x"]], target),
        slices=["g"], fairness=["g"], bootstrap=50,
    )["evaluation"]  # fmt: skip
    metrics = set(GREATER_IS_BETTER) | set(threshold.METRICS)
    assert set(keys_of(found)) - metrics <= words("reference/evaluation-json.md")
    assert metrics <= words("how-to/evaluate.md")
    assert set(WHY_NOT) <= set(GREATER_IS_BETTER)
