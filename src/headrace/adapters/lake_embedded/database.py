"""One SQLite connection for each process: opened late, closed over a fork, shared by threads."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from headrace.errors import LakeBusy, LakeError, LakeUnavailable, ObjectDamaged, Unsupported

FORMAT = 1
# A checkpoint waits for the disk, and on ext4 for every new file in memory: with SQLite's 1000 pages
# staging 10,000 files waits thirty times.
CHECKPOINT_PAGES = 16_000

SCHEMA = """
CREATE TABLE nodes (hash BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
    id TEXT PRIMARY KEY, tree TEXT NOT NULL, parents TEXT NOT NULL, generation INTEGER NOT NULL,
    message TEXT NOT NULL, metadata TEXT NOT NULL, time REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE refs (
    kind TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE staging (
    branch TEXT NOT NULL, path TEXT NOT NULL, digest TEXT, bytes INTEGER, metadata TEXT,
    PRIMARY KEY (branch, path)
) WITHOUT ROWID;
CREATE TABLE objects (
    digest TEXT PRIMARY KEY, bytes INTEGER NOT NULL, inode INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, durable INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Database:
    """Transactions on the lake's SQLite file.

    Threads of a process take turns on one connection: what is slow (hashing, copying) happens outside
    transactions, and SQLite forbids a connection to outlive a fork, which is easy to keep for one.

    Args:
        file: The database; created with its folder at the first transaction that writes. Until then
            readers see one in memory that is as a new one would be.
        fill: Called once, in the transaction that creates the schema.
        busy_seconds: How long a writer waits for another one before `LakeBusy`.
        shared: Other machines use the file too, so no write-ahead log: that needs memory in common.
    """

    def __init__(
        self,
        file: Path,
        fill: Callable[[sqlite3.Connection], None],
        busy_seconds: float,
        shared: bool = False,
    ) -> None:
        self.file = file
        self.lock = threading.RLock()
        self._fill = fill
        self._busy_seconds = busy_seconds
        self._shared = shared
        self._open: list[sqlite3.Connection] = []
        self.writing: bool | None = None  # None: no transaction is open
        self._synchronous = ""
        self._created = False
        self._imagined = False  # what is open stands for a file that is not there yet
        # Python 3.13 warns about a connection that is collected before it is closed.
        weakref.finalize(self, _close_all, self._open)
        _ALIVE.add(self)

    def read(self) -> Transaction:
        """Hold one snapshot: a commit of another process lands before or after, never in between."""
        return Transaction(self, writes=False)

    def write(self, durable: bool = False) -> Transaction:
        """Hold the lake's only writer slot; everything inside lands as one, or not at all.

        With `durable` the transaction, and all before it, survives a power cut. Without it only a
        killed process: staging is scratch, and one fsync for each staged file would cost more than
        the file.
        """
        return Transaction(self, writes=True, durable=durable)

    def create(self) -> bool:
        """Make the database where there is none; return whether this very call made it."""
        with self.lock:
            self._created = False
            with self.write():
                return self._created

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        with self.lock:
            _close_all(self._open)
            self._synchronous = ""
            self._imagined = False

    def begin(self, writes: bool, durable: bool) -> None:
        if self._imagined and (writes or self.file.exists()):
            self.close()
        connection = self._connect(writes)
        mode = "FULL" if durable or self._shared else "NORMAL"
        if writes and mode != self._synchronous:  # SQLite ignores this pragma inside a transaction
            connection.execute(f"PRAGMA synchronous={mode}")
            self._synchronous = mode
        connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        self.writing = writes

    def end(self, succeeded: bool) -> None:
        self.writing = None
        connection = self.connection
        try:
            if succeeded:
                connection.execute("COMMIT")
                return
        finally:
            if connection.in_transaction:
                # What made it fail is the error to tell, not a rollback that fails after it.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")

    @property
    def connection(self) -> sqlite3.Connection:
        return self._open[0]

    def _connect(self, writes: bool) -> sqlite3.Connection:
        if self._open:
            return self._open[0]
        if not writes and not self.file.exists():
            return self._imagine()
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeUnavailable(f"cannot make the folder of the lake: {error}") from error
        connection = sqlite3.connect(
            self.file, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            if self._format(connection) == 0:
                self._create(connection)
            if self._shared:  # one that was made for one machine is changed for good
                connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
        self._open.append(connection)
        return connection

    def _imagine(self) -> sqlite3.Connection:
        folder = self.file.parent
        if folder.exists() and not folder.is_dir():
            raise LakeUnavailable(f"the folder of the lake is none: {folder} is a file")
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._fill_in(connection)
        self._imagined = True
        self._open.append(connection)
        return connection

    def _format(self, connection: sqlite3.Connection) -> int:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found > FORMAT:
            raise Unsupported(
                f"the lake {self.file} has format {found} and this headrace reads up to {FORMAT}: "
                "install a newer headrace, or point lake.root at another folder"
            )
        return found

    def _create(self, connection: sqlite3.Connection) -> None:
        # Switching to WAL answers 'locked' without waiting when two processes do it at once.
        with self.file.with_suffix(".create").open("wb") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if self._format(connection) != 0:
                return
            connection.execute(f"PRAGMA journal_mode={'DELETE' if self._shared else 'WAL'}").fetchone()
            self._fill_in(connection)
            self._created = True

    def _fill_in(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            self._fill(connection)
            connection.execute(f"PRAGMA user_version={FORMAT}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def told(self, error: sqlite3.Error) -> LakeError:
        """Say an error of SQLite in the lake's words."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        folder = self.file.parent
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LakeBusy(
                f"another process has been writing to the lake {folder} for {self._busy_seconds:g} s; "
                "nothing was done, run the same command again"
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return ObjectDamaged(
                f"{self.file} is damaged ({error}): put a copy in its place, or move the folder away "
                "and run again"
            )
        if code in _UNREACHABLE:
            return LakeUnavailable(f"cannot use the lake {folder}: {error}")
        return LakeError(f"the lake {folder} failed: {error}")


class Transaction:
    """Joins the transaction that this thread has open, else opens one. A class, as it is on every path."""

    __slots__ = ("_database", "_durable", "_outermost", "_writes")

    def __init__(self, database: Database, writes: bool, durable: bool = False) -> None:
        self._database = database
        self._writes = writes
        self._durable = durable
        self._outermost = False

    def __enter__(self) -> sqlite3.Connection:
        database = self._database
        database.lock.acquire()
        try:
            if database.writing is None:
                database.begin(self._writes, self._durable)
                self._outermost = True
            elif self._writes and not database.writing:
                raise RuntimeError("a read transaction cannot become a writing one")
        except BaseException as error:
            database.lock.release()
            if isinstance(error, sqlite3.Error):
                raise database.told(error) from error
            raise
        return database.connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        database = self._database
        try:
            if self._outermost:
                database.end(succeeded=error is None)
        except sqlite3.Error as failed:
            raise database.told(failed) from failed
        finally:
            database.lock.release()
        if isinstance(error, sqlite3.Error):
            raise database.told(error) from error


_UNREACHABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


# --- fork ---------------------------------------------------------------------------------------
# Locks of SQLite belong to the process, and a child that inherits an open connection believes it
# holds them (https://sqlite.org/howtocorrupt.html, 2.6): so no connection is open while forking.

_ALIVE: weakref.WeakSet[Database] = weakref.WeakSet()
_FORKING = threading.RLock()
_paused: list[Database] = []


def _before_fork() -> None:
    _FORKING.acquire()
    for database in list(_ALIVE):
        database.lock.acquire()
        database.close()
        _paused.append(database)


def _after_fork() -> None:
    while _paused:
        _paused.pop().lock.release()
    _FORKING.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
