"""Tables are checked before anything is published, and every failure is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.schema_pandera import PanderaChecker
from headrace.data_import import ImportRejected, import_data
from headrace.errors import SHOWN_AT_MOST
from headrace.testing.lake import write_files


class TestSchema:
    def test_good_tables_pass(self, lake: EmbeddedLake, source: Path, checker: PanderaChecker) -> None:
        """Tables are checked, CSV as Parquet, and other files go in beside them."""
        pd.DataFrame({"mass": [5]}).to_parquet(source / "c.parquet")
        report = import_data(lake, source, "data", checker=checker)
        assert (report.checked, len(report.added)) == (3, 4)
        assert import_data(lake, source, "data", checker=checker).checked == 3

    def test_all_failures_are_listed(
        self, lake: EmbeddedLake, source: Path, checker: PanderaChecker, untouched: Callable[[], bool]
    ) -> None:
        """Every file with its column, check and rows stands in the error; `main` has nothing of it."""
        write_files(
            source, {"a.csv": "mass\n1\n-2\n0\n-3\n-4\n", "broken.parquet": "no parquet", "empty.csv": ""}
        )
        pd.DataFrame({"size": [5]}).to_parquet(source / "c.parquet")
        with pytest.raises(ImportRejected) as caught:
            import_data(lake, source, "data", checker=checker)
        told = {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in caught.value.failures}
        assert told["a.csv"] == "mass: greater_than(0) fails 4 times (line 3: -2, line 4: 0, line 5: -3, …)"
        assert told["c.parquet"] == "column mass is missing"
        assert told["broken.parquet"].startswith("cannot be read: ")
        assert told["empty.csv"].startswith("cannot be read: ")
        assert str(caught.value).startswith("the schema says no to 4 tables, nothing is imported")
        assert caught.value.exit_code == 3
        assert untouched()

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("mass,note\n1,a\n-2,b\n", "line 3"),
            ("mass,note\n1,a\n-2,b", "line 3"),
            ('mass,note\n1,"a\nb"\n-2,b\n', "row 1"),
        ],
    )
    def test_a_row_is_told_by_its_line_where_it_has_one(
        self, text: str, place: str, lake: EmbeddedLake, tmp_path: Path, checker: PanderaChecker
    ) -> None:
        """Where a value holds line breaks, lines and rows part, and the row is counted from 0."""
        write_files(tmp_path / "in", {"x.csv": text})
        with pytest.raises(ImportRejected, match=rf"\({place}: -2\)"):
            import_data(lake, tmp_path / "in", "data", checker=checker)

    def test_the_list_is_bounded(self, lake: EmbeddedLake, tmp_path: Path, checker: PanderaChecker) -> None:
        """A message shows so many failures and counts the rest; the error holds them all."""
        write_files(tmp_path / "in", {f"{n:02d}.csv": f"mass\n-{n}\n" for n in range(1, 31)})
        with pytest.raises(ImportRejected, match=f"and {30 - SHOWN_AT_MOST} more") as caught:
            import_data(lake, tmp_path / "in", "data", checker=checker)
        assert len(caught.value.failures) == 30
        assert str(caught.value).count("greater_than") == SHOWN_AT_MOST

    def test_a_bad_file_is_no_hindrance_without_a_schema(self, lake: EmbeddedLake, tmp_path: Path) -> None:
        """Who gives no schema gets no check, not even whether a table can be read."""
        write_files(tmp_path / "in", {"x.parquet": "no parquet"})
        assert import_data(lake, tmp_path / "in", "data").checked == 0

    def test_a_schema_wants_a_table(
        self, lake: EmbeddedLake, source: Path, checker: PanderaChecker, untouched: Callable[[], bool]
    ) -> None:
        """A schema for files among which there is no table is an error, not a check that passed."""
        with pytest.raises(ImportRejected, match=r"no file ends in \.csv"):
            import_data(lake, source / "notes.txt", "data/notes.txt", checker=checker)
        assert untouched()

    def test_what_main_has_is_checked_too(
        self, lake: EmbeddedLake, source: Path, checker: PanderaChecker
    ) -> None:
        """A schema that came later says no to data that is there already."""
        write_files(source, {"a.csv": "mass\n-1\n"})
        import_data(lake, source, "data")
        with pytest.raises(
            ImportRejected, match=r"a\.csv: mass: greater_than\(0\) fails once \(line 2: -1\)"
        ):
            import_data(lake, source, "data", checker=checker)

    def test_tables_are_read_as_told(self, lake: EmbeddedLake, source: Path, checker: PanderaChecker) -> None:
        """A reader that is given reads the files, and only the tables."""
        read: list[str] = []

        def read_table(file: Path) -> pd.DataFrame:
            read.append(file.name)
            return pd.DataFrame({"mass": [1]})

        import_data(lake, source, "data", checker=checker, read_table=read_table)
        assert sorted(read) == ["a.csv", "b.csv"]

    def test_no_data_library_without_a_schema(self) -> None:
        """Importing this module loads nothing from outside the standard library."""
        code = (
            "import sys, headrace.data_import; print(sorted({'pandas', 'numpy', 'hydra'} & {*sys.modules}))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]"
