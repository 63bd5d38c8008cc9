"""An empty Prefect database, made from a schema at hand instead of by a hundred migrations.

Prefect builds a new SQLite database by replaying every migration since its beginning, which takes
most of a server's first start (12 of 20 s). `prefect_schema.sql` is what these migrations of the
lowest supported Prefect (3.8.8) leave behind, its revision stamp included; a newer Prefect goes on from
that revision by itself. `python -m headrace.adapters.server_prefect.schema DATABASE` writes the file
anew from a database that a server of the lowest supported version has just created.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from uuid import uuid4

SCHEMA = Path(__file__).with_name("prefect_schema.sql")


def create_database(path: Path) -> None:
    """Create the database at `path`, whole or not at all; one that is there is left alone."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with closing(sqlite3.connect(temporary)) as connection:
            # One write to disk instead of one a statement. The rename below makes it count.
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(f"BEGIN; {SCHEMA.read_text(encoding='utf-8')} COMMIT;")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def dump_schema(path: Path) -> str:
    """Write down the statements that make the schema of a database, and its revision."""
    with closing(sqlite3.connect(path)) as connection:
        statements = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'index', tbl_name, name"
        )
        lines = [f"{sql};" for (sql,) in statements]
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    lines.append(f"INSERT INTO alembic_version VALUES ('{revision}');")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(dump_schema(Path(sys.argv[1])), encoding="utf-8")
