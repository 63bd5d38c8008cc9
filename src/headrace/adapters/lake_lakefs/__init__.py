"""The lake on a lakeFS server."""

from __future__ import annotations

from headrace.adapters.lake_lakefs.store import LakeFSStore

__all__ = ["LakeFSStore"]
