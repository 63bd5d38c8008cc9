"""Check tables with a schema before they are published: all files, all failures at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import SHOWN_AT_MOST, HeadraceError

if TYPE_CHECKING:
    from headrace.core.ports import SchemaChecker

EXAMPLES = 3
LONGEST_VALUE = 40
_CHUNK_BYTES = 1 << 20
CSV = (".csv", ".csv.gz", ".csv.zip")
PARQUET = (".parquet", ".pq")


class ImportRejected(HeadraceError):
    """The schema says no; `failures` holds a line for each file, column and check."""

    exit_code = 3

    def __init__(self, failures: Sequence[str], files: int) -> None:
        self.failures = list(failures)
        lines = [f"  - {line}" for line in self.failures[:SHOWN_AT_MOST]]
        if len(self.failures) > SHOWN_AT_MOST:
            lines.append(f"  … and {len(self.failures) - SHOWN_AT_MOST} more")
        tables = "1 table" if files == 1 else f"{files} tables"
        head = f"the schema says no to {tables}, nothing is imported"
        super().__init__(
            "\n".join([head, *lines, "      Correct the files or the schema, then import again."])
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """Checks files with a schema; without a `checker` it lets everything pass."""

    checker: SchemaChecker | None
    read_table: Callable[[Path], Any] | None

    def check(self, tables: Mapping[str, Path]) -> int:
        """Check tables, given by the names to tell them by; return how many were checked.

        Raises `ImportRejected`, also where a schema was given and there is no table to check.
        """
        if self.checker is None:
            return 0
        if not tables:
            kinds = ", ".join(CSV + PARQUET)
            raise ImportRejected([f"no file ends in {kinds}, so there is nothing to check"], 0)
        failures = {name: list(self._failures(self.checker, file)) for name, file in tables.items()}
        lines = [f"{name}: {line}" for name, found in failures.items() for line in found]
        if lines:
            raise ImportRejected(lines, sum(1 for found in failures.values() if found))
        return len(tables)

    def _failures(self, checker: SchemaChecker, file: Path) -> Iterator[str]:
        try:
            table = (self.read_table or _reader())(file)
        except FileNotFoundError:
            raise
        except Exception as error:  # readers raise whatever they like about a file that is no table
            # The name stands before it already, and a path says nothing more.
            yield f"cannot be read: {error}".replace(f"{file} ", "").splitlines()[0]
            return
        found = checker.check(table)
        word, first = _counting(file, len(table))
        yield from found.structural
        for (column, name), group in found.failures.groupby(["column", "check"], dropna=False):
            shown = group.head(EXAMPLES)
            rows = [
                f"{word} {row + first}: {_short(value)}"
                for row, value in zip(shown["index"].tolist(), shown["value"].tolist(), strict=True)
            ]
            times = "once" if len(group) == 1 else f"{len(group):,} times"
            more = ", …" if len(group) > EXAMPLES else ""
            yield f"{column}: {name} fails {times} ({', '.join(rows)}{more})"


def _counting(file: Path, rows: int) -> tuple[str, int]:
    """Return how to tell a row: by the file's line where each row is one, else by its number from 0."""
    if not file.name.lower().endswith(".csv"):
        return "row", 0
    with file.open("rb") as opened:
        last = b""
        lines = 0
        while content := opened.read(_CHUNK_BYTES):
            lines += content.count(b"\n")
            last = content
    lines += bool(last) and not last.endswith(b"\n")
    return ("line", 2) if lines == rows + 1 else ("row", 0)


def is_table(file: Path) -> bool:
    return file.name.lower().endswith(CSV + PARQUET)


def _reader() -> Callable[[Path], Any]:
    """Return what reads a table as the stage `ingest` does, so that columns have the same types."""
    from headrace.stages.ingest import read_table

    return read_table


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
