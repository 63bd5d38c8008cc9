"""Upload slots and stored bytes behind signed URLs, as the buckets of W&B have them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headrace.testing.wandb.ids import now
from headrace.testing.wandb.refusal import Refusal, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that arrived. `md5` is the base64 of its bytes, computed here, never what a client said."""

    name: str
    content: bytes
    token: str
    updated_at: str = field(default_factory=now)

    @property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.content, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where one upload may go. Its URL is signed for `md5` (base64, None: any): other bytes are refused."""

    token: str
    name: str
    headers: tuple[str, ...]
    md5: str | None
    keep: Callable[[StoredFile], None]


class Storage:
    """Slots that wait for a PUT, and files for a GET; a token in the URL is its whole signature."""

    def __init__(self) -> None:
        self.base_url = ""
        self._lock = threading.Lock()
        self._slots: dict[str, Slot] = {}
        self._files: dict[str, StoredFile] = {}

    def open_slot(
        self,
        name: str,
        keep: Callable[[StoredFile], None],
        md5: str | None = None,
        mimetype: str | None = None,
    ) -> Slot:
        """Return a slot for one file; `keep` is called with what arrived, each time that it arrives."""
        headers = ([f"Content-MD5:{md5}"] if md5 else []) + ([f"Content-Type:{mimetype}"] if mimetype else [])
        token = secrets.token_hex(16)
        slot = Slot(token=token, name=name, headers=tuple(headers), md5=md5, keep=keep)
        with self._lock:
            self._slots[token] = slot
        return slot

    def put(self, token: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Take the bytes of an upload.

        Raises:
            Violation: for an unknown token, or a header that the URL was signed with and that is missing.
            Refusal: where the bytes do not have the MD5 that the URL was signed with.
        """
        with self._lock:
            slot = self._slots.get(token)
        if slot is None:
            raise Violation(403, "SignatureDoesNotMatch: no such upload URL was handed out")
        sent = {name.lower(): value for name, value in headers.items()}
        for header in slot.headers:
            name, _, value = header.partition(":")
            if sent.get(name.lower()) != value:
                raise Violation(403, f"SignatureDoesNotMatch: the upload of {slot.name} lacks {header}")
        file = StoredFile(name=slot.name, content=content, token=token)
        if slot.md5 is not None and file.md5 != slot.md5:
            raise Refusal(400, f"BadDigest: {slot.name} has the MD5 {file.md5}, {slot.md5} was declared")
        with self._lock:
            self._files[token] = file
        slot.keep(file)

    def get(self, token: str) -> bytes:
        """Return stored bytes. Raises `Refusal` where the token opens none."""
        with self._lock:
            file = self._files.get(token)
        if file is None:
            raise Refusal(404, "NoSuchKey: nothing is stored under this URL")
        return file.content

    def url(self, token: str, name: str) -> str:
        return f"{self.base_url}/storage/{token}/{name.rsplit('/', 1)[-1]}"
