"""The worst errors come first, with their rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headrace.stages.explain.worst_errors import find_worst
from tests.stages.explain.made import binary, one_class, regression, silent


def test_the_worst_errors_come_first_with_their_rows() -> None:
    """Wrong rows are sorted by the chance of the true class, each beside its raw row."""
    answers = binary(200)
    raw = pd.DataFrame({"y": 0, "loss": np.arange(200), "other": np.arange(200) * 2})
    found = find_worst(answers, raw, 20)
    assert list(found.columns) == ["row", "target", "predicted", "p_target", "loss", "loss (raw)", "other"]
    assert found["loss"].is_monotonic_decreasing
    assert (found["target"] != found["predicted"]).all()
    assert (found["other"] == found["row"] * 2).all()
    assert np.allclose(found["loss"], -np.log(found["p_target"]))
    assert answers.chances is not None
    chance = answers.chances[np.arange(200), answers.target]
    assert found["p_target"][0] == chance[~answers.right].min()


def test_no_error_leaves_an_empty_table_with_the_same_columns() -> None:
    """Where nothing is wrong, the table has its columns and no row; without chances none of the chance."""
    raw = pd.DataFrame({"y": range(5), "a": range(5)})
    found = find_worst(one_class(), raw, 20)
    assert (len(found), list(found.columns)) == (0, ["row", "target", "predicted", "p_target", "loss", "a"])
    assert list(find_worst(silent(), pd.DataFrame({"a": range(50)}), 3).columns) == [
        *("row", "target", "predicted", "a"),
    ]


def test_the_worst_of_a_regression_are_the_farthest_off() -> None:
    """Residuals of either sign are sorted by their size."""
    answers = regression(100)
    found = find_worst(answers, pd.DataFrame({"a": range(100)}), 5)
    sizes = np.sort(np.abs(answers.target - answers.predicted))[::-1]
    assert np.allclose(found["residual"].abs(), sizes[:5])
