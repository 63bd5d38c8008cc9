"""What of a source goes in, what is left out, and where it may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN
from headrace.data_import import ImportFailed, import_data
from headrace.errors import InvalidName
from headrace.testing.lake import paths_at, text_at, write_files


class TestSource:
    def test_what_is_left_out_is_said(self, lake: EmbeddedLake, source: Path, tmp_path: Path) -> None:
        """Hidden files, links that lead away or nowhere, linked folders and pipes are left out and named."""
        write_files(source, {".hidden": "1", ".git/config": "1", "more/.DS_Store": "1"})
        outside = write_files(tmp_path / "outside", {"secret": "1"})["secret"]
        source.joinpath("out").symlink_to(outside)
        source.joinpath("up").symlink_to("..")
        source.joinpath("loop").symlink_to("more")
        source.joinpath("gone").symlink_to("nowhere")
        source.joinpath("link.csv").symlink_to("a.csv")
        os.mkfifo(source / "pipe")
        report = import_data(lake, source, "data")
        assert sorted(report.skipped) == [
            ".git (hidden)",
            ".hidden (hidden)",
            "gone (a link to nothing)",
            "loop (a link to a folder)",
            "more/.DS_Store (hidden)",
            "out (a link out of the folder)",
            "pipe (no regular file)",
            "up (a link out of the folder)",
        ]
        assert paths_at(lake, MAIN) == ["data/a.csv", "data/link.csv", "data/more/b.csv", "data/notes.txt"]
        assert text_at(lake, MAIN, "data/link.csv") == "mass\n1\n2\n"

    def test_a_linked_source_is_followed(self, lake: EmbeddedLake, source: Path, tmp_path: Path) -> None:
        """The source itself may be a link: somebody named it."""
        link = tmp_path / "link"
        link.symlink_to(source)
        assert len(import_data(lake, link, "data").added) == 3

    def test_a_missing_source_offers_near_names(self, lake: EmbeddedLake, source: Path) -> None:
        """A mistyped source is answered with the near one, and the lake is not even made."""
        with pytest.raises(ImportFailed, match=r"there is no file or folder .*brids; did you mean birds\?"):
            import_data(lake, source.with_name("brids"), "data")
        assert not lake.root.exists()

    def test_an_empty_source_is_told(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """A folder without a file is an error, which names what was left out."""
        (tmp_path / "empty" / "folder").mkdir(parents=True)
        with pytest.raises(ImportFailed, match="holds no file to import: it is empty"):
            import_data(lake, tmp_path / "empty", "data")
        write_files(tmp_path / "empty", {".hidden": "1"})
        with pytest.raises(ImportFailed, match=r"left out: \.hidden \(hidden\)"):
            import_data(lake, tmp_path / "empty", "data", delete=True)

    @pytest.mark.parametrize("dest", ["", "/", "a/../b", "..", "a//b", "a/./b", "a\0b", "models/x", "runs"])
    def test_bad_places(self, lake: EmbeddedLake, source: Path, dest: str) -> None:
        """What is no path for data is refused before the lake is touched."""
        with pytest.raises(InvalidName, match="data/penguins"):
            import_data(lake, source, dest)
        assert not lake.root.exists()
