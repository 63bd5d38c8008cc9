"""Arrays come back bit by bit, and never through pickle."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.adapters.codec_array import ArrayCodec
from headrace.errors import StageError
from headrace.testing.codec import CodecContract

ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "text": np.array(["a", "bcd"]),
    "scalar": np.array(3),
    "empty": np.zeros((0, 4), dtype="float32"),
}


class TestArray(CodecContract):
    """The contract, for arrays of several shapes."""

    @pytest.fixture
    def codec(self) -> ArrayCodec:
        return ArrayCodec()

    @pytest.fixture(params=ARRAYS)
    def value(self, request: pytest.FixtureRequest) -> Any:
        return ARRAYS[request.param]

    def same(self, left: Any, right: Any) -> bool:
        return left.dtype == right.dtype and left.shape == right.shape and bool(np.array_equal(left, right))


def test_objects_are_refused() -> None:
    """An array of Python objects is refused with what to return instead."""
    with pytest.raises(StageError, match="astype"):
        ArrayCodec().write(np.array([{"a": 1}], dtype=object), Path("never-written"))


def test_masked_array_is_refused() -> None:
    """A mask would be lost in silence, so it is refused."""
    with pytest.raises(StageError, match="mask"):
        ArrayCodec().write(np.ma.masked_array([1.0], mask=[True]), Path("never-written"))


def test_pickled_array_is_refused(tmp_path: Path) -> None:
    """A file whose array was pickled is refused when it is read."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    with pytest.raises(StageError, match=r"a\.npy is no readable npy file"):
        ArrayCodec().read(tmp_path / "a.npy", "")
