"""The lake without a server: SQLite for refs, staging, commits and trees; read-only files for bytes."""

from __future__ import annotations

from headrace.adapters.lake_embedded.store import EmbeddedLake

__all__ = ["EmbeddedLake"]
