"""Ids and times as W&B writes them."""

from __future__ import annotations

import base64
import datetime as dt


def encode_id(kind: str, number: int) -> str:
    """Return an opaque id; the client decodes those of artifacts from base64 to build URIs."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
