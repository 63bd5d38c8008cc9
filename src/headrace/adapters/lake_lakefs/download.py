"""Bytes down, in constant memory: verified, and taken up again where a connection broke off."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO

from headrace.adapters.lake_lakefs.connection import Connection
from headrace.adapters.lake_lakefs.upload import PRESIGN_FROM_BYTES
from headrace.core.ports import ObjectInfo
from headrace.errors import LakeUnavailable, ObjectDamaged, ObjectNotFound, RefNotFound

BLOCK = 1 << 20
REPAIR = "rerun what made it with cache: false to repair it"
FRESH_STARTS = 2  # once may be bad luck on the way; twice is the object


class Download:
    """One object on its way into a file, which holds what has come so far."""

    def __init__(self, connection: Connection, ref: str, info: ObjectInfo, into: BinaryIO) -> None:
        self._connection = connection
        self._ref = ref
        self._info = info
        self._into = into
        self._what = f"read {info.path!r} at {ref!r}"
        self._received = -1
        self._hash: Any = None

    def run(self) -> None:
        """Fetch all of it. Raises `ObjectDamaged`, `ObjectNotFound` and what a connection raises."""
        found = [self._fetch() for _ in range(FRESH_STARTS) if not self._is_right()]
        if self._is_right():
            return
        kind, _, wanted = self._info.digest.partition(":")
        if kind == "md5" and len(set(found)) == 1:
            return  # an ETag that only looks like an MD5, as encrypted storage gives them
        raise ObjectDamaged(f"{self._what}: its bytes do not have the {kind} {wanted}; {REPAIR}")

    def _fetch(self) -> str:
        """Fetch from the beginning, and return the hash of what came."""
        self._start_anew()
        try:
            self._connection.persist(self._fetch_rest, received=lambda: self._received)
        except RefNotFound as error:
            raise ObjectNotFound(f"{self._what}: its bytes are gone from the lake; {REPAIR}") from error
        return "" if self._hash is None else str(self._hash.hexdigest())

    def _start_anew(self) -> None:
        self._into.seek(0)
        self._into.truncate()
        self._received = 0
        kind = self._info.digest.partition(":")[0]
        # MD5 is what a lake knows of an object that others put: a check against damage, not against intent.
        self._hash = {
            "sha256": hashlib.sha256,
            "md5": lambda: hashlib.md5(usedforsecurity=False),
        }.get(kind, lambda: None)()

    def _fetch_rest(self) -> None:
        if self._received >= self._info.bytes > 0:
            return
        headers = {"Range": f"bytes={self._received}-"} if self._received else {}
        with self._connection.client.stream(self._what, "GET", self._url(), headers=headers) as answer:
            if self._received and answer.status != 206:
                self._start_anew()
            for block in answer.stream(BLOCK, decode_content=False):
                self._into.write(block)
                if self._hash is not None:
                    self._hash.update(block)
                self._received += len(block)

    def _url(self) -> str:
        connection = self._connection
        large = self._info.bytes >= PRESIGN_FROM_BYTES
        if large and connection.settings.presigned and connection.storage.get("pre_sign_support"):
            # Asked for anew at each attempt, for it expires.
            found = connection.call(
                self._what, "objects.stat_object", self._ref, self._info.path, presign=True
            )
            url = str(found.get("physical_address", ""))
            if not url.startswith(("http://", "https://")):
                raise LakeUnavailable(
                    f"{self._what}: the server signs no URL for it; type: lake.presigned=false"
                )
            return url
        return connection.api_url("refs", self._ref, "objects", path=self._info.path)

    def _is_right(self) -> bool:
        if self._received != self._info.bytes:
            return False
        return self._hash is None or self._info.digest.endswith(f":{self._hash.hexdigest()}")
