"""The model's things as the documents of the API, and lists of them in pages."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from headrace.testing.lakefs.entry import Commit, Entry
from headrace.testing.lakefs.repository import Repository
from headrace.testing.lakefs.routing import MAX_PER_PAGE
from headrace.testing.lakefs.trees import Difference

T = TypeVar("T")


def repository_document(repository: Repository) -> dict[str, Any]:
    return {
        "id": repository.name,
        "creation_date": repository.created,
        "default_branch": repository.default_branch,
        "storage_namespace": repository.namespace,
    }


def ref_document(name: str, commit_id: str) -> dict[str, Any]:
    return {"id": name, "commit_id": commit_id}


def commit_document(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "parents": list(commit.parents),
        "committer": commit.committer,
        "message": commit.message,
        "creation_date": commit.creation_date,
        "meta_range_id": commit.meta_range_id,
        "metadata": dict(commit.metadata),
        "generation": commit.generation,
        "version": 1,
    }


def object_document(path: str, entry: Entry, metadata: bool = True) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": path,
        "path_type": "object",
        "physical_address": entry.physical_address,
        "checksum": entry.checksum,
        "size_bytes": entry.size_bytes,
        "mtime": entry.mtime,
        "content_type": entry.content_type,
    }
    if metadata:
        document["metadata"] = dict(entry.metadata)
    return document


def prefix_document(path: str) -> dict[str, Any]:
    """Describe a common prefix: the required fields that mean nothing are empty, as lakeFS has them."""
    return {"path": path, "path_type": "common_prefix", "physical_address": "", "checksum": "", "mtime": 0}


def difference_document(difference: Difference) -> dict[str, Any]:
    return {
        "type": difference.kind,
        "path": difference.path,
        "path_type": "object",
        "size_bytes": difference.size_bytes,
    }


def page_document(results: list[dict[str, Any]], has_more: bool, key: str) -> dict[str, Any]:
    """Wrap one page; the next one begins after the last result's `key`."""
    return {
        "pagination": {
            "has_more": has_more,
            "next_offset": results[-1][key] if has_more and results else "",
            "results": len(results),
            "max_per_page": MAX_PER_PAGE,
        },
        "results": results,
    }


def named_page(
    names: Sequence[str], prefix: str, after: str, amount: int, document: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """Return a page of things that are listed by name."""
    matching = sorted(name for name in names if name.startswith(prefix) and name > after)
    return page_document([document(name) for name in matching[:amount]], len(matching) > amount, "id")


def walk(order: Sequence[bytes], prefix: str, after: str, delimiter: str) -> Iterator[tuple[str, bool]]:
    """Yield paths, and what they share up to the delimiter as one, from the first above `after`.

    `order` is in byte order. The second value tells a common prefix from a path.
    """
    wanted, sign = prefix.encode(), delimiter.encode()
    mark = after.encode()
    at = max(bisect_left(order, wanted), bisect_right(order, mark) if after else 0)
    while at < len(order) and order[at].startswith(wanted):
        path = order[at]
        cut = path.find(sign, len(wanted)) if sign else -1
        if cut < 0:
            yield path.decode(), False
            at += 1
            continue
        common = path[: cut + len(sign)]
        if common > mark:
            yield common.decode(), True
        at = bisect_left(order, common + b"\xff", at)  # no UTF-8 text holds this byte
