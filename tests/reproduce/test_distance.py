"""How far apart two artifacts are: arrays, tables, JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.adapters.codec_table import TableCodec
from headrace.reproduce.distance import Distance, between_arrays, between_json, between_tables


def json_distance(folder: Path, before: Any, now: Any) -> Distance:
    files = folder / "before.json", folder / "now.json"
    for file, value in zip(files, (before, now), strict=True):
        file.write_text(json.dumps(value))
    return between_json(*files)


def table_distance(folder: Path, before: pd.DataFrame, now: pd.DataFrame) -> Distance:
    files = folder / "before.parquet", folder / "now.parquet"
    for file, value in zip(files, (before, now), strict=True):
        TableCodec().write(value, file)
    return between_tables(*files)


def test_the_farthest_pair_of_a_document_is_told(tmp_path: Path) -> None:
    """With its place and how far it is, for the size of the number and as it is."""
    found = json_distance(tmp_path, {"a": [1.0, 9.0], "b": {"c": 3}}, {"a": [1.0, 9.5], "b": {"c": 3.25}})
    assert found == Distance(scaled=0.25 / 4, absolute=0.25, where="b.c")


@pytest.mark.parametrize(
    ("before", "now", "where"),
    [
        ({"a": [1.0, 2.0]}, {"a": [1.0]}, "a [1.0, 2.0] → [1.0]"),
        ({"a": 1}, {"b": 1}, 'value {"a": 1} → {"b": 1}'),
        ({"a": "x"}, {"a": "y"}, 'a "x" → "y"'),
        ({"a": True}, {"a": 1}, "a true → 1"),
        ({"a": math.nan}, {"a": 1.0}, "a nan → 1.0"),
        ({"a": math.inf}, {"a": -math.inf}, "a inf → -inf"),
    ],
)
def test_what_is_no_pair_of_numbers_is_endlessly_far(
    tmp_path: Path, before: Any, now: Any, where: str
) -> None:
    """No tolerance makes two texts, two shapes, or a number and none equal; both values are told."""
    found = json_distance(tmp_path, before, now)
    assert (found.is_measured, found.where) == (False, where)


def test_missing_numbers_equal_each_other(tmp_path: Path) -> None:
    """NaN at the same place in both is no difference."""
    assert json_distance(tmp_path, [math.nan, 1e400], [math.nan, 1e400]) == Distance()
    both = np.array([1.0, np.nan, np.inf])
    assert between_arrays(both, both.copy(), "") == Distance()


@pytest.mark.parametrize("other", [1.0, np.inf])
def test_a_number_in_place_of_a_missing_one_is_no_small_difference(other: float) -> None:
    """Arithmetic with NaN would hide it."""
    assert not between_arrays(np.array([np.nan, 1.0]), np.array([other, 1.0]), "").is_measured


def test_arrays_tell_the_place() -> None:
    """The index of the farthest pair, for its size."""
    before = np.array([[1.0, 1000.0], [0.0, 0.0]])
    now = np.array([[1.0, 1001.0], [0.5, 0.0]])
    assert between_arrays(before, now, "") == Distance(scaled=0.5, absolute=0.5, where="[1, 0]")


def test_large_integers_are_not_rounded_to_be_equal() -> None:
    """Neighbours beyond 2^53 are one float; they stay at least 1 apart."""
    found = between_arrays(np.array([2**53]), np.array([2**53 + 1]), "")
    assert found.absolute == 1.0


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (np.array([1]), np.array([1.0])),
        (np.array([1, 2]), np.array([[1, 2]])),
        (np.array(["a"]), np.array(["b"])),
        (np.array([True]), np.array([False])),
    ],
)
def test_other_types_and_shapes_are_endlessly_far(before: Any, now: Any) -> None:
    """So are texts and truth values."""
    assert not between_arrays(before, now, "").is_measured


def test_complex_numbers_count_with_both_parts() -> None:
    """A difference in the imaginary part alone is one."""
    assert between_arrays(np.array([1 + 1j]), np.array([1 + 2j]), "").absolute == 1.0


def test_records_are_compared_field_by_field() -> None:
    """As the nodes of trees are stored."""
    kind = [("feature", "i4"), ("threshold", "f8")]
    before, now = np.array([(1, 0.5)], dtype=kind), np.array([(1, 0.75)], dtype=kind)
    assert between_arrays(before, now, "").where == "threshold[0]"


def test_tables_tell_column_and_row(tmp_path: Path) -> None:
    """Numbers may be apart; the row is told where none is missing before it."""
    before = pd.DataFrame({"x": [1.0, 2.0], "name": ["a", None]})
    assert table_distance(tmp_path, before, before.assign(x=[1.0, 2.5])).where == "column x, row 1"
    holes = pd.DataFrame({"x": [None, 2.0]})
    assert table_distance(tmp_path, holes, holes.assign(x=[None, 2.5])).where == "column x"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ["a", "c"]}, "column name"),
        ({"x": [1, 2]}, "column x double → int64"),
        ({"x": [1.0, None]}, "column x, other values missing"),
        ({"more": [1, 2]}, "2 rows and 2 columns → 2 rows and 3 columns"),
    ],
)
def test_what_no_tolerance_covers_in_a_table(tmp_path: Path, change: dict[str, Any], where: str) -> None:
    """Texts, types, missing values and shapes."""
    before = pd.DataFrame({"x": [1.0, 2.0], "name": ["a", "b"]})
    found = table_distance(tmp_path, before, before.assign(**change))
    assert (found.is_measured, found.where) == (False, where)
