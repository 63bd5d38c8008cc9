"""The lake on a lakeFS server: the contract, on the stand-in and on a live server where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.core.ports import LakeStore
from headrace.testing.lake import LakeContract
from headrace.testing.lakefs import StandInServer
from tests.lakefs_server import connect, server

__all__ = ["server"]

LIVE = "HEADRACE_TEST_LAKEFS_ENDPOINT"
LIVE_KEYS = ("HEADRACE_TEST_LAKEFS_ACCESS_KEY_ID", "HEADRACE_TEST_LAKEFS_SECRET_ACCESS_KEY")


def delete_repository(name: str, key: str, secret: str) -> None:
    """Remove a test's repository: no lake does, so the client itself is asked."""
    import lakefs_client
    from lakefs_client.client import LakeFSClient

    configuration = lakefs_client.Configuration(host=os.environ[LIVE], username=key, password=secret)
    LakeFSClient(configuration).repositories_api.delete_repository(name)


class TestStandIn(LakeContract):
    """Against the stand-in, the lakeFS adapter keeps the contract."""

    @pytest.fixture
    def lake(self, server: StandInServer, tmp_path: Path) -> LakeStore:
        return connect(server, tmp_path / "cache")


if LIVE in os.environ:

    class TestLiveServer(LakeContract):
        """Against a real lakeFS server, the adapter keeps the contract."""

        @pytest.fixture
        def lake(self, tmp_path: Path) -> Iterator[LakeStore]:
            key, secret = (os.environ[name] for name in LIVE_KEYS)
            name = f"headrace-test-{uuid.uuid4().hex[:16]}"
            place = os.environ.get("HEADRACE_TEST_LAKEFS_NAMESPACE")
            made = LakeFSStore(
                repository=name,
                endpoint=os.environ[LIVE],
                access_key_id=key,
                secret_access_key=secret,
                storage_namespace=f"{place}/{name}" if place else None,  # none is taken twice
                cache_dir=tmp_path / "cache",
            )
            assert made.init()
            yield made
            delete_repository(name, key, secret)

else:

    @pytest.mark.skip(reason=f"{LIVE} names no lakeFS server")
    def test_live_server() -> None:
        """Against a real lakeFS server, the adapter keeps the contract."""
