"""Commits and the names that point at them."""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.names import canonical, is_commit_prefix
from headrace.core.ports import Branch, Commit
from headrace.core.ref_expression import history_ends, no_parent, parse_ref
from headrace.errors import LakeError, RefNotFound, did_you_mean

CACHED_COMMITS = 4096


class CommitRow(NamedTuple):
    """A commit with what only the lake needs: its tree, and its longest distance from a root."""

    commit: Commit
    tree: str
    generation: int


class View(NamedTuple):
    """What a ref shows: a commit, and for a branch's bare name what is staged there."""

    row: CommitRow
    staged: str | None


class History:
    """Reads refs and commits, and appends commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, CommitRow] = {}

    def refs(self, kind: str, prefix: str = "") -> list[Branch]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT name, target FROM refs WHERE kind = ? ORDER BY name", (kind,))
            return [Branch(name, target) for name, target in rows if name.startswith(prefix)]

    def target(self, kind: str, name: str) -> str | None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT target FROM refs WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return None if row is None else str(row[0])

    def head(self, branch: str) -> CommitRow:
        """Return the commit of a branch, which must be one: `RefNotFound` lists near names."""
        target = self.target("branch", branch)
        if target is None:
            names = [found.name for found in self.refs("branch")]
            raise RefNotFound(f"no branch {branch!r} in the lake: {did_you_mean(branch, names)}")
        return self.row(target)

    def move(self, branch: str, commit: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE refs SET target = ? WHERE kind = 'branch' AND name = ?", (commit, branch)
            )

    def row(self, commit: str) -> CommitRow:
        found = self._cache.get(commit)
        if found is None:
            with self._database.read() as connection:
                found = self._load(connection, commit)
                if len(self._cache) >= CACHED_COMMITS:
                    del self._cache[next(iter(self._cache))]
                self._cache[commit] = found
        return found

    def view(self, ref: str) -> View:
        """Resolve a ref expression. A full commit id always means that commit, whatever is named so."""
        base, steps, bare, committed = parse_ref(ref)
        with self._database.read() as connection:
            on_branch = False
            target = self._exact(connection, base)
            if target is None:
                target = self.target("branch", base)
                on_branch = target is not None
            target = target or self.target("tag", base) or self._by_prefix(connection, base)
            if target is None:
                names = [found.name for kind in ("branch", "tag") for found in self.refs(kind)]
                raise RefNotFound(
                    f"no branch, tag or commit {base!r} in the lake: {did_you_mean(base, names)}"
                )
            if committed and not on_branch:
                raise RefNotFound(f"{ref!r}: '@' stands after a branch only; type {base!r}")
            row = self.row(target)
            for kind, count in steps:
                row = self._step(row, kind, count, ref)
        return View(row, base if on_branch and bare else None)

    def append(
        self,
        parents: tuple[CommitRow, ...],
        tree: str,
        message: str,
        metadata: Mapping[str, str],
    ) -> Commit:
        """Store a commit; no branch moves. Never older than its parents, whatever the clock says."""
        with self._database.write() as connection:
            when = max([time.time(), *(row.commit.time for row in parents)])
            generation = 1 + max((row.generation for row in parents), default=-1)
            ids = tuple(row.commit.id for row in parents)
            return insert_commit(connection, ids, tree, generation, message, metadata, when)

    def newest_first(self, *starts: str) -> Iterator[CommitRow]:
        """Yield every commit reachable from `starts`, children before parents."""
        seen = set(starts)
        queue = [_by_age(self.row(start)) for start in seen]
        heapq.heapify(queue)
        while queue:
            row = self.row(heapq.heappop(queue)[-1])
            yield row
            for parent in row.commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    heapq.heappush(queue, _by_age(self.row(parent)))

    def first_parents(self, start: str) -> Iterator[CommitRow]:
        """Yield a commit, its first parent, that one's first parent, and so on."""
        row = self.row(start)
        yield row
        while row.commit.parents:
            row = self.row(row.commit.parents[0])
            yield row

    def merge_base(self, left: str, right: str) -> CommitRow:
        """Return the best common ancestor: the one furthest from the root, then the newest.

        No other common ancestor descends from it. Where histories cross there may be several such;
        one is chosen, always the same. Costs the commits since that ancestor.
        """
        sides = {left: 1}
        sides[right] = sides.get(right, 0) | 2
        queue = [_by_generation(self.row(start)) for start in sides]
        heapq.heapify(queue)
        while queue:
            row = self.row(heapq.heappop(queue)[-1])
            side = sides[row.commit.id]
            if side == 3:
                return row
            for parent in row.commit.parents:
                if parent not in sides:
                    heapq.heappush(queue, _by_generation(self.row(parent)))
                sides[parent] = sides.get(parent, 0) | side
        raise LakeError(f"{left[:12]} and {right[:12]} share no history: they come from different lakes")

    def _load(self, connection: sqlite3.Connection, commit: str) -> CommitRow:
        found = connection.execute(
            "SELECT tree, parents, generation, message, metadata, time FROM commits WHERE id = ?", (commit,)
        ).fetchone()
        if found is None:
            raise RefNotFound(f"no commit {commit} in the lake: a collection has removed it")
        tree, parents, generation, message, metadata, when = found
        made = Commit(
            id=commit,
            parents=tuple(json.loads(parents)),
            message=message,
            metadata=json.loads(metadata),
            time=when,
        )
        return CommitRow(made, tree, generation)

    def _exact(self, connection: sqlite3.Connection, base: str) -> str | None:
        if len(base) != 64:
            return None
        row = connection.execute("SELECT id FROM commits WHERE id = ?", (base,)).fetchone()
        return None if row is None else str(row[0])

    def _by_prefix(self, connection: sqlite3.Connection, base: str) -> str | None:
        if not is_commit_prefix(base):
            return None
        rows = connection.execute(
            "SELECT id FROM commits WHERE id >= ? AND id < ? LIMIT 3", (base, base + "g")
        ).fetchall()
        if len(rows) > 1:
            shown = ", ".join(str(row[0])[: len(base) + 8] for row in rows)
            raise RefNotFound(f"{base!r} begins several commits ({shown}): type more of the id")
        return str(rows[0][0]) if rows else None

    def _step(self, row: CommitRow, kind: str, count: int, ref: str) -> CommitRow:
        if kind == "^":
            if count > len(row.commit.parents):
                raise no_parent(ref, row.commit.id, len(row.commit.parents), count)
            return self.row(row.commit.parents[count - 1]) if count else row
        for done in range(count):
            if not row.commit.parents:
                raise history_ends(ref, row.commit.id, done)
            row = self.row(row.commit.parents[0])
        return row


def insert_commit(
    connection: sqlite3.Connection,
    parents: tuple[str, ...],
    tree: str,
    generation: int,
    message: str,
    metadata: Mapping[str, str],
    when: float,
) -> Commit:
    """Insert a commit under the sha256 of its canonical form.

    The first one has the same id in every lake: a plan may name it before the lake is there.
    """
    text = canonical([tree, list(parents), message, dict(metadata), when if parents else 0.0])
    identity = hashlib.sha256(b"headrace commit 1\n" + text.encode()).hexdigest()
    connection.execute(
        "INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)",
        (identity, tree, json.dumps(parents), generation, message, json.dumps(dict(metadata)), when),
    )
    return Commit(id=identity, parents=parents, message=message, metadata=dict(metadata), time=when)


def _by_age(row: CommitRow) -> tuple[float, int, str]:
    return -row.commit.time, -row.generation, row.commit.id


def _by_generation(row: CommitRow) -> tuple[int, float, str]:
    return -row.generation, -row.commit.time, row.commit.id
