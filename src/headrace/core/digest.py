"""Digests. Every value is tagged with its type and length before it is hashed.

So `1`, `1.0`, `True` and `"1"` differ, `["ab"]` differs from `["a", "b"]`, and what has no canonical
form is an error and never a constant.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

KEY_FORMAT = 1
_BLOCK = 1 << 20


class CannotEncode(ValueError):
    """A value without a canonical form; `path` says where in the tree it is."""

    def __init__(self, path: str, value: object) -> None:
        self.path = path
        super().__init__(f"{path or 'value'} is a {type(value).__qualname__}, which has no digest")


def encode(value: Any, path: str = "") -> bytes:
    """Return the canonical bytes of a tree of None, bool, int, float, str, bytes, list and mapping."""
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return _tagged(b"i", str(value).encode())
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value)
    if isinstance(value, str):
        return _tagged(b"s", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return _tagged(b"b", value)
    if isinstance(value, list | tuple):
        body = b"".join(encode(item, f"{path}[{i}]") for i, item in enumerate(value))
        return b"l%d:" % len(value) + body
    if isinstance(value, Mapping):
        parts = []
        for key in sorted(value, key=str):
            if not isinstance(key, str):
                raise CannotEncode(f"{path} (key {key!r})", key)
            parts.append(encode(key) + encode(value[key], f"{path}.{key}" if path else key))
        return b"m%d:" % len(parts) + b"".join(parts)
    raise CannotEncode(path, value)


def _tagged(tag: bytes, body: bytes) -> bytes:
    return tag + b"%d:" % len(body) + body


def digest_value(value: Any) -> str:
    """Return the sha256 (hex) of a value's canonical bytes. Raises `CannotEncode`."""
    return hashlib.sha256(encode(value)).hexdigest()


def digest_bytes(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def digest_listing(files: Iterable[tuple[str, str]]) -> str:
    """Return one digest for many files, from their relative paths and digests in any order."""
    return "sha256:" + digest_value([list(pair) for pair in sorted(files)])
