"""Bytes on their way in: hashed and copied outside the writer's slot, placed and staged inside it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.adapters.lake_embedded import trees
from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.history import History
from headrace.adapters.lake_embedded.nodes import Entry, Nodes
from headrace.adapters.lake_embedded.objects import (
    HASHING_THREADS,
    SMALL,
    Incoming,
    ObjectFiles,
    Signature,
)
from headrace.adapters.lake_embedded.staging import ObjectTable, Staging
from headrace.core.lake_names import check_path, checked_metadata
from headrace.errors import AlreadyExists

if TYPE_CHECKING:
    from concurrent.futures import Executor, ThreadPoolExecutor

BATCH_FILES = 1000
# Bounded in bytes too: a copy that waits longer than an hour to be placed would count as a leftover.
BATCH_BYTES = 1 << 28


class Intake:
    """Takes files and bytes into a lake and stages them."""

    def __init__(
        self,
        database: Database,
        history: History,
        nodes: Nodes,
        staging: Staging,
        table: ObjectTable,
        files: ObjectFiles,
    ) -> None:
        self._database = database
        self._history = history
        self._nodes = nodes
        self._staging = staging
        self._table = table
        self._files = files

    def put(
        self,
        branch: str,
        path: str,
        src: Path | bytes,
        metadata: Mapping[str, str] | None,
        if_absent: bool,
        consume: bool,
    ) -> Entry:
        check_path(path)
        stored = checked_metadata(metadata)
        if self._files.is_slow(src):  # a wrong name is told before gigabytes are hashed
            with self._database.read():
                self.committed(branch, path, if_absent)
        entry, moved = None, False
        while entry is None:
            incoming = self._files.absorb(src, consume)
            moved = incoming.moves
            try:
                entry = self._stage(branch, path, incoming, stored, if_absent)
            except BaseException:
                self._files.discard(incoming)
                raise
        if consume and not moved and isinstance(src, Path):
            src.unlink(missing_ok=True)
        return entry

    def put_many(self, branch: str, files: Mapping[str, Path], consume: bool) -> dict[str, Entry]:
        """Stage files without metadata, some hundreds in a transaction."""
        for path in files:
            check_path(path)
        self._history.head(branch)  # a wrong name is told before gigabytes are hashed
        uses = Counter(map(os.fspath, files.values())) if consume else Counter()
        found: dict[str, Entry] = {}
        moved: set[str] = set()
        for batch, is_heavy in _batches(files):
            # A file that stands under two paths can be moved to neither.
            moves = {path for path, src in batch.items() if uses[os.fspath(src)] == 1}
            with _pool() if is_heavy else nullcontext() as pool:
                found.update(self._take(branch, batch, moves, pool))
            moved |= moves
        # What was moved is gone; a file of that name would be somebody's new one.
        for src in {src for path, src in files.items() if path not in moved} if consume else ():
            src.unlink(missing_ok=True)
        return found

    def committed(self, branch: str, path: str, must_be_free: bool = False) -> Entry | None:
        """Return what the branch's commit holds at a path, staged changes left aside."""
        committed = trees.lookup(self._nodes, self._history.head(branch).tree, path)
        if must_be_free:
            is_staged, staged = self._staging.get(branch, path)
            if (staged if is_staged else committed) is not None:
                raise AlreadyExists(f"object {path!r} exists on branch {branch!r}: put it without if_absent")
        return committed

    def _stage(
        self, branch: str, path: str, incoming: Incoming, metadata: dict[str, str], if_absent: bool
    ) -> Entry | None:
        """Place the bytes and stage the object; None where the bytes have been collected meanwhile."""
        entry = Entry(incoming.digest, incoming.bytes, metadata)
        with self._database.write():
            committed = self.committed(branch, path, if_absent)
            signature = self._files.place(incoming)
            if signature is None:
                return None
            self._table.record([(incoming.digest, signature)])
            self._staging.set(branch, {path: (entry, committed)})
        return entry

    def _take(
        self, branch: str, batch: Mapping[str, Path], moves: set[str], pool: Executor | None
    ) -> dict[str, Entry]:
        """Hash and stage; of `moves` only those files stay whose bytes really moved."""
        found: dict[str, Entry] = {}
        while missing := {path: src for path, src in batch.items() if path not in found}:
            incoming: dict[str, Incoming] = {}
            try:
                self._absorb(missing, moves, pool, incoming)
                found.update(self._stage_many(branch, incoming))
            except BaseException:
                for one in incoming.values():
                    self._files.discard(one)
                raise
            moves -= {path for path, one in incoming.items() if not one.moves}
        return found

    def _absorb(
        self,
        files: Mapping[str, Path],
        moves: set[str],
        pool: Executor | None,
        incoming: dict[str, Incoming],
    ) -> None:
        """Fill `incoming`, of which a failure leaves what it had."""

        def absorb(item: tuple[str, Path]) -> None:
            path, src = item
            incoming[path] = self._files.absorb(src, path in moves)

        try:
            for _ in (pool.map if pool else map)(absorb, files.items()):
                pass
        except BaseException:
            if pool:
                pool.shutdown(cancel_futures=True)  # the caller discards what is still being copied
            raise

    def _stage_many(self, branch: str, incoming: Mapping[str, Incoming]) -> dict[str, Entry]:
        """Stage in one transaction; what has been collected since it was hashed is left out."""
        staged: dict[str, tuple[Entry, Entry | None]] = {}
        records: list[tuple[str, Signature]] = []
        with self._database.write():
            tree = self._history.head(branch).tree
            for path in sorted(incoming):  # neighbours share a node of the tree
                one = incoming[path]
                signature = self._files.place(one)
                if signature is not None:
                    records.append((one.digest, signature))
                    entry = Entry(one.digest, one.bytes, {})
                    staged[path] = (entry, trees.lookup(self._nodes, tree, path))
            self._table.record(records)
            self._staging.set(branch, staged)
        return {path: entry for path, (entry, _) in staged.items()}


def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # 8 ms that small files do not pay

    return ThreadPoolExecutor(HASHING_THREADS)


def _batches(files: Mapping[str, Path]) -> Iterator[tuple[dict[str, Path], bool]]:
    """Yield files in bounded groups, and whether a group has enough to hash to be worth threads."""
    batch: dict[str, Path] = {}
    size = 0
    for path, src in files.items():
        batch[path] = src
        size += os.stat(src).st_size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch, size > SMALL * len(batch)
            batch, size = {}, 0
    if batch:
        yield batch, len(batch) > 1 and size > SMALL * len(batch)
