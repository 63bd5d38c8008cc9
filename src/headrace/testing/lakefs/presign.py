"""Presigned URLs: signed, short-lived, and good for one method on one body."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from headrace.testing.lakefs.refusal import Refusal

STORAGE_PREFIX = "/_storage/"
FIELDS = ("X-Method", "X-Expires", "X-Upload", "X-Part")


class StorageRefusal(Refusal):
    """A presigned request that the storage refuses, with S3's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a URL that was accepted allows."""

    body_id: str
    upload_id: str
    part_number: int


class Signer:
    """Signs URLs with a key that lives as long as the server."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._key = secrets.token_bytes(32)

    def url(
        self, base: str, method: Literal["GET", "PUT"], body_id: str, upload_id: str = "", part: int = 0
    ) -> tuple[str, int]:
        """Return a URL and when it expires, in seconds since the epoch."""
        expires = int(time.time() + self.seconds)
        query = dict(zip(FIELDS, (method, str(expires), upload_id, str(part)), strict=True))
        query["X-Signature"] = self._sign(body_id, query)
        return f"{base}{STORAGE_PREFIX}{body_id}?{urlencode(query)}", expires

    def check(self, method: str, body_id: str, query: Mapping[str, str], authorized: bool) -> Grant:
        """Take a URL apart that was handed out, and say what it allows. Raises `StorageRefusal`."""
        if authorized:
            raise StorageRefusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        missing = [name for name in (*FIELDS, "X-Signature") if name not in query]
        if missing:
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        expected = self._sign(body_id, query)
        if query["X-Method"] != method or not hmac.compare_digest(expected, query["X-Signature"]):
            message = "The request signature we calculated does not match the signature you provided."
            raise StorageRefusal(403, "SignatureDoesNotMatch", message)
        if time.time() > int(query["X-Expires"]):
            raise expired()
        return Grant(body_id=body_id, upload_id=query["X-Upload"], part_number=int(query["X-Part"]))

    def _sign(self, body_id: str, query: Mapping[str, str]) -> str:
        text = "\n".join([body_id, *(query[name] for name in FIELDS)])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def expired() -> StorageRefusal:
    return StorageRefusal(403, "AccessDenied", "Request has expired")
