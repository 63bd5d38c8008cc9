"""Directories are copied as they are, and nothing from outside comes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.codec_files import FilesCodec
from headrace.errors import StageError
from headrace.testing.codec import CodecContract, digest_of


class TestFiles(CodecContract):
    """The contract, for a directory with a directory inside."""

    @pytest.fixture
    def codec(self) -> FilesCodec:
        return FilesCodec()

    @pytest.fixture
    def value(self, tmp_path: Path) -> Path:
        (tmp_path / "made" / "deep").mkdir(parents=True)
        (tmp_path / "made" / "a.txt").write_text("a")
        (tmp_path / "made" / "deep" / "b.bin").write_bytes(b"\0\1")
        return tmp_path / "made"

    def same(self, left: Any, right: Any) -> bool:
        return digest_of(left) == digest_of(right)


def test_single_file_becomes_a_directory(tmp_path: Path) -> None:
    """A path to a file is stored as a directory that holds it under its name."""
    (tmp_path / "report.html").write_text("<p>")
    FilesCodec().write(tmp_path / "report.html", tmp_path / "stored")
    assert [file.name for file in (tmp_path / "stored").iterdir()] == ["report.html"]


def test_links_are_refused(tmp_path: Path) -> None:
    """A link is refused by name, whatever it points to."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "link").symlink_to(tmp_path)
    with pytest.raises(StageError, match="link is a link"):
        FilesCodec().write(tmp_path / "made", tmp_path / "stored")


@pytest.mark.parametrize(("name", "said"), [("absent", "does not exist"), ("empty", "holds no file")])
def test_nothing_to_store_is_refused(name: str, said: str, tmp_path: Path) -> None:
    """A path that is not there, or holds nothing, is an error and not an empty artifact."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(StageError, match=said):
        FilesCodec().write(tmp_path / name, tmp_path / "stored")
