"""What every `Codec` does. Inherit from `CodecContract` and give `codec` and `value` fixtures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from headrace.core.ports import Codec
from headrace.errors import StageError


class CodecContract:
    """Subclasses give a `codec`, one or more `value`s, and say when two values are equal."""

    def same(self, left: Any, right: Any) -> bool:
        """Tell whether a value came back as it was; override where `==` is not the answer."""
        return bool(left == right)

    def test_accepts_its_value(self, codec: Codec, value: Any) -> None:
        """A codec accepts what it stores, and neither a class nor an object nobody knows."""
        assert codec.accepts(value)
        assert not codec.accepts(object())
        assert not codec.accepts(type(value))

    def test_bytes_are_stable(self, codec: Codec, value: Any, tmp_path: Path) -> None:
        """Writing a value twice gives the same bytes."""
        first, second = (tmp_path / f"{name}{codec.suffix}" for name in "ab")
        codec.write(value, first)
        codec.write(value, second)
        assert digest_of(first) == digest_of(second)

    def test_round_trip(self, codec: Codec, value: Any, tmp_path: Path) -> None:
        """What is read equals what was written."""
        path = tmp_path / f"value{codec.suffix}"
        codec.write(value, path)
        assert path.is_dir() == (codec.suffix == "")
        assert self.same(value, codec.read(path, ""))

    def test_gives_the_path(self, codec: Codec, value: Any, tmp_path: Path) -> None:
        """Whoever wants a Path gets the stored file or directory itself."""
        path = tmp_path / f"value{codec.suffix}"
        codec.write(value, path)
        assert codec.read(path, "pathlib.Path") == path

    def test_unknown_type(self, codec: Codec, value: Any, tmp_path: Path) -> None:
        """A type that cannot be given is refused by name, with types that can."""
        path = tmp_path / f"value{codec.suffix}"
        codec.write(value, path)
        with pytest.raises(StageError, match=r"(?s)cannot be given as colour\.Wheel.*Annotate"):
            codec.read(path, "colour.Wheel")

    def test_reading_unpickles_nothing(
        self, codec: Codec, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading works where unpickling is impossible."""
        path = tmp_path / f"value{codec.suffix}"
        codec.write(value, path)
        for name in ("load", "loads", "Unpickler"):
            monkeypatch.setattr(f"pickle.{name}", _no_pickle)
        codec.read(path, "")


def digest_of(path: Path) -> str:
    """Return a digest of a file's bytes, or of a directory's names and bytes."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(repr((str(file.relative_to(path)), file.stat().st_size)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _no_pickle(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("something was unpickled")
