"""Groups of test rows by column, by bins, and by crossings of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import StageError
from headrace.stages.evaluate.slices import cut_rows
from headrace.stages.evaluate.weighting import read_weights

ROWS = pd.DataFrame(
    {
        "sex": ["Female", "Male", "Male", None, "Female"],
        "age": [24.0, 25.0, 64.9, 65.0, np.nan],
        "kind": pd.Series(["b", "a", "a", "b", "a"], dtype="category"),
        "year": [2007, 2008, 2008, 2007, 2007],
        "ok": [True, False, True, True, False],
        "size": [1.0, 2.5, 1.0, 1.0, 1.0],
        "mixed": ["a", 1, "a", 1, None],
    }
)


def cut(*wanted: Any, rows: pd.DataFrame | None = ROWS, most: int = 30) -> list[dict[str, list[int]]]:
    cuts = cut_rows(rows, wanted, "slices", most)
    return [{group.name: group.rows.tolist() for group in one.groups} for one in cuts]


def test_a_column_is_cut_by_its_values() -> None:
    """Values are in order, whole numbers have no point, missing values are a group and come last."""
    assert cut("sex", "kind", "year", "ok", "size", "mixed") == [
        {"sex=Female": [0, 4], "sex=Male": [1, 2], "sex=missing": [3]},
        {"kind=a": [1, 2, 4], "kind=b": [0, 3]},
        {"year=2007": [0, 3, 4], "year=2008": [1, 2]},
        {"ok=False": [1, 4], "ok=True": [0, 2, 3]},
        {"size=1": [0, 2, 3, 4], "size=2.5": [1]},
        {"mixed=1": [1, 3], "mixed=a": [0, 2], "mixed=missing": [4]},
    ]


def test_bins_hold_their_lower_edge() -> None:
    """What is below the first edge and from the last on are groups too, and so is what is missing."""
    assert cut({"age": [25, 45, 65]}) == [
        {"age<25": [0], "age=[25, 45)": [1], "age=[45, 65)": [2], "age>=65": [3], "age=missing": [4]}
    ]
    assert cut({"age": [30]}) == [{"age<30": [0, 1], "age>=30": [2, 3], "age=missing": [4]}]


def test_a_crossing_has_the_groups_that_occur() -> None:
    """Columns and bins cross; a combination without rows is no group."""
    assert cut(["sex", {"age": [30]}]) == [
        {
            "sex=Female, age<30": [0],
            "sex=Female, age=missing": [4],
            "sex=Male, age<30": [1],
            "sex=Male, age>=30": [2],
            "sex=missing, age>=30": [3],
        }
    ]


def test_the_smallest_groups_are_left_out_and_told() -> None:
    """Beyond the limit the largest stay, in their own order, with what is left out."""
    (one,) = cut_rows(ROWS, ["sex"], "slices", 2)
    assert [group.name for group in one.groups] == ["sex=Female", "sex=Male"]
    assert one.describe() == {"by": ["sex"], "left_out": {"groups": 1, "rows": 1}}
    assert cut_rows(ROWS, ["sex"], "slices", 3)[0].describe()["left_out"] is None


@given(
    st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1, max_size=40),
    st.lists(st.integers(-40, 40), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_every_row_is_in_one_group(ages: list[int | None], edges: list[int]) -> None:
    """Bins part the rows, and each row is in the bin that its name tells."""
    rows = pd.DataFrame({"age": pd.array(ages, dtype="Int64")})
    (groups,) = cut({"age": edges}, rows=rows)
    assert sorted(row for members in groups.values() for row in members) == list(range(len(ages)))
    for name, members in groups.items():
        for age in (ages[row] for row in members):
            if name == "age=missing":
                assert age is None
            elif name.startswith("age=["):
                low, high = (int(edge) for edge in name[5:-1].split(", "))
                assert low <= age < high
            else:
                assert eval(name, {"age": age})  # noqa: S307 - `age<25`, made by us


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("sexx", "did you mean sex?"),
        (["sex", "ag"], "did you mean age?"),
        ([], "crosses no columns"),
        (["sex", "sex"], "names a column twice"),
        (3, "use a column"),
        ({"age": [1], "sex": [2]}, "use a column"),
        ({"age": []}, "has no edges"),
        ({"age": 25}, "has no edges"),
        ({"age": [45, 25]}, r"use such as \[25, 45\]"),
        ({"age": [25, 25]}, r"use such as \[25\]"),
        ({"age": ["25"]}, "are not all numbers"),
        ({"age": [float("nan")]}, "do not ascend"),
        ({"sex": [1]}, "has no bins"),
        ({"ok": [1]}, "has no bins"),
    ],
)
def test_what_is_no_slice_says_what_to_type(entry: Any, said: str) -> None:
    """Each wrong entry names its place in the config, and what would do."""
    with pytest.raises(StageError, match=said) as caught:
        cut_rows(ROWS, ["kind", entry], "stages.evaluate.params.slices", 30)
    assert str(caught.value).startswith("stages.evaluate.params.slices[1]")


def test_without_rows_there_are_no_slices() -> None:
    """A stage that did not get the test rows says how it gets them."""
    with pytest.raises(StageError, match=r"type: stages\.evaluate\.inputs\.rows=test"):
        cut_rows(None, ["sex"], "slices", 30)
    assert cut_rows(None, [], "slices", 30) == []
    with pytest.raises(StageError, match="use 1 or more"):
        cut_rows(ROWS, ["sex"], "slices", 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a", "b"], "weights are numbers"),
        ([True, False], "weights are numbers"),
        ([1.0, None], r"1 values that are missing.*first in test row 1"),
        ([-1.0, -2.0], r"2 values that are.*first in test row 0: -1"),
        ([0, 0], "is 0 in all 2 test rows"),
    ],
)
def test_weights_are_numbers_from_0_up(values: list[Any], said: str) -> None:
    """What cannot weigh a row is refused, with its column and first row."""
    with pytest.raises(StageError, match=said):
        read_weights(pd.DataFrame({"w": values}), "w", 2)
    with pytest.raises(StageError, match="did you mean w"):
        read_weights(pd.DataFrame({"w": [1, 2]}), "ww", 2)
    assert read_weights(pd.DataFrame({"w": [0, 2]}), "w", 2).tolist() == [0, 2]
    assert read_weights(None, None, 2).tolist() == [1, 1]
