"""The writing half of the lake on a lakeFS server, and the class that others use."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from headrace.adapters.lake_lakefs.answers import judge
from headrace.adapters.lake_lakefs.commits import LakeFSCommits
from headrace.adapters.lake_lakefs.content import measure
from headrace.adapters.lake_lakefs.read_cache import ReadCache
from headrace.adapters.lake_lakefs.reading import (
    MORE,
    PAGE,
    PUT,
    SHA256,
    object_info,
    side_by_side,
)
from headrace.adapters.lake_lakefs.settings import find_settings
from headrace.adapters.lake_lakefs.upload import Target, Upload
from headrace.core.lake_names import check_path, checked_metadata
from headrace.core.ports import MAIN, ObjectInfo
from headrace.core.secrets import redact_text
from headrace.errors import (
    AlreadyExists,
    ConfigError,
    InvalidName,
    ObjectNotFound,
    PreconditionFailed,
    RefNotFound,
)

_HEADER_KEY = re.compile(r"[a-z0-9-]+")  # proxies drop headers with underscores
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


class LakeFSStore(LakeFSCommits):
    """A `LakeStore` in a repository of a lakeFS server. Share one among threads.

    What is None is looked for in the environment (`LAKECTL_SERVER_ENDPOINT_URL`,
    `LAKECTL_CREDENTIALS_ACCESS_KEY_ID`, `LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY`,
    `HEADRACE_LAKE_REPOSITORY`), then in `~/.lakectl.yaml`, when the lake is first used; what is found
    nowhere raises `ConfigError`. The server is asked nothing before that. Pickling takes along what was
    given here, keys too, and nothing that was looked for.

    Args:
        repository: Its name on the server.
        endpoint: The server's URL.
        access_key_id: With `secret_access_key`, who asks. Best left to the environment.
        storage_namespace: Where `init` puts a new repository, such as `s3://bucket/folder`; None asks
            the server.
        cache_dir: A folder for verified copies of what was read.
        cache_gigabytes: How much it holds, in 10^9 bytes; what running processes read counts as well
            and stays.
        ca_bundle: A PEM file to verify the server with; None takes the system's certificates.
        allow_plain_http: Send keys and data in plain text to another machine than this one.
        presigned: Let large objects go past the server, by URLs that it signs, where it can.
        timeout_seconds: How long the server may be silent.
        retry_seconds: How long a call is tried again where that is safe.
    """

    def __init__(
        self,
        repository: str | None = None,
        endpoint: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        storage_namespace: str | None = None,
        cache_dir: str | Path = ".headrace/cache/lake",
        cache_gigabytes: float = 20.0,
        ca_bundle: str | None = None,
        allow_plain_http: bool = False,
        presigned: bool = True,
        timeout_seconds: float = 60.0,
        retry_seconds: float = 60.0,
    ) -> None:
        self._given: dict[str, Any] = {
            "repository": repository,
            "endpoint": endpoint,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "storage_namespace": storage_namespace,
            "ca_bundle": ca_bundle,
            "allow_plain_http": allow_plain_http,
            "presigned": presigned,
            "timeout_seconds": timeout_seconds,
            "retry_seconds": retry_seconds,
        }
        self._cached = {"cache_dir": Path(cache_dir).absolute(), "cache_gigabytes": cache_gigabytes}
        cache = ReadCache(Path(cache_dir).absolute(), int(cache_gigabytes * 1e9))
        super().__init__(partial(find_settings, **self._given), cache)

    def __repr__(self) -> str:
        endpoint = redact_text(str(self._given["endpoint"]))
        return f"LakeFSStore(repository={self._given['repository']!r}, endpoint={endpoint!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, ({**self._given, **self._cached},)

    def init(self) -> bool:
        connection = self._connection
        if connection.repository_exists():
            return False
        prefix = connection.storage.get("default_namespace_prefix")
        place = self._settings.storage_namespace
        if place is None:
            if not prefix:
                raise ConfigError.one(
                    "lake.storage_namespace",
                    "is null, and the server names no place for new repositories",
                    "type: lake.storage_namespace=s3://<bucket>/<folder>",
                )
            place = f"{prefix}{'' if str(prefix).endswith('/') else '/'}{connection.repository}"
        body = {"name": connection.repository, "storage_namespace": place, "default_branch": MAIN}
        connection.call(
            f"create repository {connection.repository!r} in {place}",
            "repositories.create_repository",
            body=("RepositoryCreation", body),
            done=lambda: connection.repository_exists() or None,
        )
        return True

    def put(
        self,
        branch: str,
        path: str,
        src: Path | bytes,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        consume: bool = False,
    ) -> ObjectInfo:
        """As the port says. A consumed file moves into the read cache once the server has it."""
        check_path(path)
        given = checked_metadata(metadata)
        content = measure(src)
        info = ObjectInfo(path=path, digest=f"sha256:{content.sha256}", bytes=content.size, metadata=given)
        # Another's object with the same bytes must not pass for one's own.
        mark = {PUT: uuid.uuid4().hex} if if_absent else {}
        target = Target(
            branch=branch,
            path=path,
            metadata={SHA256: content.sha256, **_as_headers(given), **mark},
            if_absent=if_absent,
            done=lambda: self._is_staged(branch, info, mark) or None,
        )
        try:
            Upload(self._connection, content, target).run()
        except (RefNotFound, InvalidName):
            if self._branch_commit(branch) is None:
                raise self._no_branch(branch) from None
            raise
        except PreconditionFailed as error:
            if not if_absent or self._stats(branch, path) is None:
                raise
            raise AlreadyExists(
                f"object {path!r} exists on branch {branch!r}: put it without if_absent"
            ) from error
        if consume and isinstance(src, Path):
            self._cache.adopt(src, info.digest)  # the next stage reads it
        return info

    def put_many(self, branch: str, files: Mapping[str, Path], consume: bool = False) -> Sequence[ObjectInfo]:
        def put(item: tuple[str, Path]) -> ObjectInfo:
            return self.put(branch, *item, consume=consume)

        if self._branch_commit(branch) is None:
            raise self._no_branch(branch)
        return side_by_side(put, files.items())

    def link(self, branch: str, path: str, src_ref: str, src_path: str) -> ObjectInfo:
        """As the port says. The server copies: lakeFS has no two paths for the same bytes."""
        check_path(path)
        found = self.stat(src_ref, src_path)
        try:
            copied = self._connection.call(
                f"link {path!r} on branch {branch!r}",
                "objects.copy_object",
                branch,
                path,
                body=("ObjectCopyCreation", {"src_path": src_path, "src_ref": src_ref}),
            )
        except RefNotFound:
            raise self._no_branch(branch) from None
        return ObjectInfo(
            path=path, digest=found.digest, bytes=int(copied["size_bytes"]), metadata=found.metadata
        )

    def delete(self, branch: str, paths: Iterable[str]) -> None:
        if self._branch_commit(branch) is None:  # the server takes an unknown branch for one without them
            raise self._no_branch(branch)
        wanted = iter([paths] if isinstance(paths, str) else paths)
        while some := [*islice(wanted, PAGE)]:
            answer = self._connection.call(
                f"delete {some[0]!r} and {len(some) - 1} more on branch {branch!r}",
                "objects.delete_objects",
                branch,
                body=("PathList", {"paths": some}),
            )
            for problem in answer.get("errors") or ():
                what = f"delete {problem.get('path')!r} on branch {branch!r}"
                raise judge(what, problem["status_code"], problem["message"]).error

    def reset(self, branch: str, prefix: str = "") -> None:
        body = {"type": "common_prefix", "path": prefix} if prefix else {"type": "reset"}
        try:
            self._connection.call(
                f"reset branch {branch!r}", "branches.reset_branch", branch, body=("ResetCreation", body)
            )
        except (RefNotFound, InvalidName):
            raise self._no_branch(branch) from None

    def _is_staged(self, branch: str, info: ObjectInfo, mark: Mapping[str, str]) -> bool:
        """Tell whether an upload whose answer was lost has arrived."""
        found = self._stats(branch, info.path)
        if found is None:
            return False
        stored = found.get("metadata") or {}
        return object_info(found) == info and stored.get(PUT) == mark.get(PUT)

    def _stats(self, ref: str, path: str) -> dict[str, Any] | None:
        what = f"look whether {path!r} is at {ref!r}"
        try:
            return dict(self._connection.call(what, "objects.stat_object", ref, path))
        except (RefNotFound, ObjectNotFound):
            return None


def _rebuild(arguments: Mapping[str, Any]) -> LakeFSStore:
    return LakeFSStore(**arguments)


def _as_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as headers carry it: what they would change goes along as JSON."""
    if reserved := {SHA256, MORE, PUT} & metadata.keys():
        raise InvalidName(f"metadata {reserved.pop()!r} is headrace's own: choose another key")
    plain = {k: v for k, v in metadata.items() if _HEADER_KEY.fullmatch(k) and _HEADER_VALUE.fullmatch(v)}
    more = {key: value for key, value in metadata.items() if key not in plain}
    return plain | ({MORE: json.dumps(more, sort_keys=True)} if more else {})
