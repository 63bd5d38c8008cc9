"""The reading half of the lake on a lakeFS server."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from headrace.adapters.lake_lakefs.client import CONNECTIONS
from headrace.adapters.lake_lakefs.connection import Connection
from headrace.adapters.lake_lakefs.download import Download
from headrace.adapters.lake_lakefs.read_cache import ReadCache
from headrace.adapters.lake_lakefs.settings import Settings
from headrace.core.ports import Branch, Change, Commit, CommonPrefix, ObjectInfo
from headrace.core.ref_expression import history_ends, no_parent, parse_ref
from headrace.errors import InvalidName, ObjectDamaged, ObjectNotFound, RefNotFound, did_you_mean

S = TypeVar("S")
T = TypeVar("T")

PAGE = 1000  # the most that lakeFS gives at once
SHA256 = "sha256"  # key of an object's user metadata
PUT = "headrace-put"  # key of an object put `if_absent`: by it one's own is told from another's
MORE = "headrace-metadata"  # key for what does not fit into a header as it is
REQUEST = "headrace_request"  # key of a commit's metadata: by it a commit whose answer was lost is found
NAMES_TO_SUGGEST_FROM = 100
AT_ONCE = CONNECTIONS // 2

_COMMIT_ID = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")


class LakeFSReader:
    """Answers questions about a repository; `LakeFSStore` adds the writing."""

    def __init__(self, find_settings: Any, cache: ReadCache) -> None:
        self._find_settings = find_settings
        self._cache = cache

    @cached_property
    def _settings(self) -> Settings:
        found: Settings = self._find_settings()
        return found

    @cached_property
    def _connection(self) -> Connection:
        return Connection(self._settings)

    @property
    def identity(self) -> str:
        return f"lakefs:{self._settings.endpoint}/{self._settings.repository}"

    def require(self) -> None:
        """As the port says: nothing to do here."""

    def resolve(self, ref: str) -> str:
        return self._head(ref).id

    def branches(self, prefix: str = "") -> builtins.list[Branch]:
        found = self._pages("list the branches", "branches.list_branches", prefix=prefix)
        return sorted((Branch(item["id"], item["commit_id"]) for item in found), key=lambda b: b.name)

    def tags(self, prefix: str = "") -> builtins.list[Branch]:
        found = self._pages("list the tags", "tags.list_tags", prefix=prefix)
        return sorted((Branch(item["id"], item["commit_id"]) for item in found), key=lambda t: t.name)

    def stat(self, ref: str, path: str) -> ObjectInfo:
        if not path:
            self.resolve(ref)
            raise ObjectNotFound(f"no object {path!r} at {ref!r}: a path is not empty")
        try:
            found = self._connection.call(f"look at {path!r} at {ref!r}", "objects.stat_object", ref, path)
        except (RefNotFound, ObjectNotFound, InvalidName) as error:
            self.resolve(ref)  # says so where it is the ref that is not there
            raise ObjectNotFound(f"no object {path!r} at {ref!r}: {self._near(ref, path)}") from error
        return object_info(found)

    def list(
        self, ref: str, prefix: str = "", delimiter: str = "", after: str = ""
    ) -> Iterator[ObjectInfo | CommonPrefix]:
        query = {"prefix": prefix, "after": after, "delimiter": delimiter}
        given: dict[str, Any] = {key: value for key, value in query.items() if value}
        for item in self._pages(f"list {prefix!r} at {ref!r}", "objects.list_objects", ref, **given):
            if item["path_type"] == "common_prefix":
                yield CommonPrefix(item["path"])
            else:
                yield object_info(item)

    def open(self, ref: str, path: str) -> BinaryIO:
        return self.local_path(ref, path).open("rb")

    def local_path(self, ref: str, path: str) -> Path:
        return self._fetch(ref, self.stat(ref, path))

    def local_paths(self, ref: str, objects: Sequence[ObjectInfo]) -> builtins.list[Path]:
        return side_by_side(lambda info: self._fetch(ref, info), objects)

    def diff(
        self, left: str, right: str, prefix: str = "", mode: Literal["two_dot", "three_dot"] = "two_dot"
    ) -> builtins.list[Change]:
        """As the port says. What is staged is seen on the right side of a two-dot diff, and nowhere else."""
        what = f"compare {left!r} with {right!r}"
        query: dict[str, Any] = {"type": mode, **({"prefix": prefix} if prefix else {})}
        found = self._pages(what, "refs.diff_refs", left, right, **query)
        return sorted((Change(item["path"], item["type"]) for item in found), key=lambda c: c.path.encode())

    def log(self, ref: str, limit: int | None = None, first_parent: bool = False) -> builtins.list[Commit]:
        query: dict[str, Any] = {"first_parent": True} if first_parent else {}
        try:
            if ref:
                found = self._pages(f"read the log of {ref!r}", "refs.log_commits", ref, limit=limit, **query)
                return [commit_from(item) for item in found]
        except (RefNotFound, InvalidName):
            pass
        raise self._no_ref(ref)

    def _head(self, ref: str) -> Commit:
        return self.log(ref, limit=1)[0]

    def _no_ref(self, ref: str) -> RefNotFound:
        """Say why a ref leads nowhere, of which the server only says that it is not found."""
        try:
            base, steps, _, committed = parse_ref(ref)
            return self._stopped(ref, base, steps) if steps else self._unknown(ref if committed else base)
        except RefNotFound as error:
            return error

    def _unknown(self, name: str) -> RefNotFound:
        names = [found.name for found in (*self.branches(), *self.tags())]
        return RefNotFound(f"no branch, tag or commit {name!r} in the lake: {did_you_mean(name, names)}")

    def _stopped(self, ref: str, base: str, steps: Sequence[tuple[str, int]]) -> RefNotFound:
        """Walk a ref until it leads nowhere. Raises `RefNotFound` where its base is no ref."""
        at = self._head(base)
        for kind, count in steps:
            if kind == "^":
                if count > len(at.parents):
                    return no_parent(ref, at.id, len(at.parents), count)
                at = self._head(at.parents[count - 1]) if count else at
            else:
                way = self.log(at.id, limit=count + 1, first_parent=True)
                if len(way) <= count:
                    return history_ends(ref, way[-1].id, len(way) - 1)
                at = way[count]
        return self._unknown(ref)

    def _near(self, ref: str, path: str) -> str:
        """Suggest from the same folder, by one question to the server."""
        folder, slash, _ = path.rpartition("/")
        query: dict[str, Any] = {"prefix": f"{folder}{slash}"} if folder else {}
        found = self._connection.call(
            f"list {folder!r} at {ref!r}", "objects.list_objects", ref, amount=NAMES_TO_SUGGEST_FROM, **query
        )
        return did_you_mean(path, [item["path"] for item in found["results"]])

    def _fetch(self, ref: str, info: ObjectInfo) -> Path:
        # Some storages give every upload another ETag, some give the same to different bytes.
        exact = not info.digest.startswith("etag:")
        key = info.digest if exact else f"{info.digest}/{self._settings.repository}/{info.path}"
        found = self._cache.find(key, info.bytes)
        if found is None:
            with self._cache.receive() as file:
                try:
                    Download(self._connection, ref, info, file).run()
                except ObjectDamaged:
                    now = self.stat(ref, info.path)
                    if now == info:
                        raise
                    return self._fetch(ref, now)  # it was put anew meanwhile
                found = self._cache.keep(file, key)
        return found

    def _pages(
        self, what: str, operation: str, *names: str, limit: int | None = None, **query: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the results of a listing, page by page, at most `limit`."""
        left = limit
        while left is None or left > 0:
            amount = PAGE if left is None else min(PAGE, left)
            page = self._page(what, operation, names, amount, query)
            yield from page["results"]
            left = None if left is None else left - len(page["results"])
            if not page["pagination"]["has_more"]:
                return
            query["after"] = page["pagination"]["next_offset"]

    def _page(
        self, what: str, operation: str, names: tuple[str, ...], amount: int, query: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            return dict(self._connection.call(what, operation, *names, amount=amount, **query))
        except (RefNotFound, InvalidName):
            if operation != "refs.log_commits":
                for ref in names:  # the server does not say which
                    self.resolve(ref)
            raise


def side_by_side(function: Callable[[S], T], items: Iterable[S]) -> builtins.list[T]:
    """Apply a function in several threads; results in order. The first failure ends it."""
    threads = ThreadPoolExecutor(AT_ONCE)
    try:
        return [*threads.map(function, items)]
    finally:
        threads.shutdown(cancel_futures=True)


def object_info(item: Mapping[str, Any]) -> ObjectInfo:
    """Read an object's stats. What others put is known by the checksum that the lake has."""
    stored = dict(item.get("metadata") or {})
    sha256 = stored.pop(SHA256, None)
    stored.pop(PUT, None)
    if more := stored.pop(MORE, None):
        stored |= json.loads(more)
    checksum = str(item["checksum"]).strip('"')
    if sha256:
        digest = f"sha256:{sha256}"
    else:
        digest = f"md5:{checksum}" if _MD5.fullmatch(checksum) else f"etag:{checksum}"
    return ObjectInfo(path=item["path"], digest=digest, bytes=int(item["size_bytes"]), metadata=stored)


def commit_from(item: Mapping[str, Any]) -> Commit:
    """Read a commit, without what the adapter and the server (`.lakefs.…`) add to its metadata."""
    given = item.get("metadata") or {}
    metadata = {k: v for k, v in given.items() if k != REQUEST and not k.startswith(".lakefs.")}
    return Commit(
        id=item["id"],
        parents=tuple(item["parents"]),
        message=item["message"],
        metadata=metadata,
        time=float(item["creation_date"]),
    )


def is_commit_id(ref: str) -> bool:
    return _COMMIT_ID.fullmatch(ref) is not None
