"""Plain values come back as they were, or are refused by their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.adapters.codec_json import JsonCodec
from headrace.errors import StageError
from headrace.testing.codec import CodecContract

VALUES: dict[str, Any] = {
    "nested": {"z": 1, "a": [1.5, None, True, "ü"], "m": {"x": -0.0}},
    "list": [1, 2],
    "text": "Zürich\n",
    "float": 0.1,
    "true": True,
    "none": None,
}


class TestJson(CodecContract):
    """The contract, for each type that JSON has."""

    @pytest.fixture
    def codec(self) -> JsonCodec:
        return JsonCodec()

    @pytest.fixture(params=VALUES)
    def value(self, request: pytest.FixtureRequest) -> Any:
        return VALUES[request.param]


def test_keeps_the_order_of_keys(tmp_path: Path) -> None:
    """Keys come back in the order they were put in."""
    JsonCodec().write({"z": 1, "a": 2}, tmp_path / "v.json")
    assert list(JsonCodec().read(tmp_path / "v.json", "dict")) == ["z", "a"]


def test_numpy_scalars_are_numbers(tmp_path: Path) -> None:
    """Numpy's scalars become Python's, at the top and inside."""
    assert JsonCodec().accepts(np.float32(1.5))
    JsonCodec().write({"n": np.int64(3), "b": np.bool_(True), "f": np.float64(0.5)}, tmp_path / "v")
    assert JsonCodec().read(tmp_path / "v", "") == {"n": 3, "b": True, "f": 0.5}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"auc": float("nan")}, r"the value\['auc'\] is nan"),
        ({"a": [1, float("inf")]}, r"the value\['a'\]\[1\] is inf"),
        ({"a": np.float64("nan")}, r"the value\['a'\] is nan"),
        ({1: "one"}, "key 1 of type int"),
        ({"a": np.zeros(2)}, r"numpy\.ndarray.*tolist"),
        ({"a": {1, 2}}, r"the value\['a'\] is of type builtins\.set"),
    ],
)
def test_what_json_cannot_say_is_refused(value: Any, place: str) -> None:
    """A value that would come back as something else is refused with its place."""
    with pytest.raises(StageError, match=f"(?s){place}"):
        JsonCodec().write(value, Path("never-written"))


def test_wanted_type_must_be_there(tmp_path: Path) -> None:
    """A list is no dict, and a truth value is no number."""
    JsonCodec().write([1], tmp_path / "v")
    with pytest.raises(StageError, match="a list, which cannot be given as dict"):
        JsonCodec().read(tmp_path / "v", "dict")
    JsonCodec().write(True, tmp_path / "b")
    with pytest.raises(StageError, match="cannot be given as int"):
        JsonCodec().read(tmp_path / "b", "int")


def test_whole_number_is_a_float_where_wanted(tmp_path: Path) -> None:
    """A float that was written as 1 comes back as a float to whoever wants one."""
    JsonCodec().write(1, tmp_path / "v")
    assert type(JsonCodec().read(tmp_path / "v", "float")) is float
