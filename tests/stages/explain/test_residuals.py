"""What is told of residuals is told of all of them."""

from __future__ import annotations

import pytest

from headrace.stages.explain.residuals import measure_residuals
from tests.stages.explain.made import regression


@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_residuals_are_target_minus_prediction(rows: int) -> None:
    """Mean and deviation are those of all rows, the histogram counts each, few points are drawn."""
    answers = regression(rows)
    found = measure_residuals(answers, seed=1)
    residuals = answers.target - answers.predicted
    assert found["mean"] == pytest.approx(residuals.mean())
    assert found["std"] == pytest.approx(residuals.std())
    assert sum(found["histogram"]["counts"]) == rows
    assert len(found["points"]["residual"]) == min(rows, 400)
    assert len(found["trend"]["residual"]) == min(rows, 10)
    assert found == measure_residuals(answers, seed=1)
