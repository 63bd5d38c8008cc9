"""The lake on a lakeFS server, against the stand-in: the contract, and what only it promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.core.ports import LakeStore
from headrace.testing.lake import LakeContract
from headrace.testing.lakefs import StandInServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandInServer]:
    with StandInServer(tmp_path / "server") as started:
        yield started


def connect(server: StandInServer, cache: Path, repository: str = "demo") -> LakeFSStore:
    return LakeFSStore(
        repository=repository,
        endpoint=server.endpoint,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        cache_dir=cache,
        retry_seconds=5,
    )


class TestStandIn(LakeContract):
    """Against the stand-in, the lakeFS adapter keeps the contract."""

    @pytest.fixture
    def lake(self, server: StandInServer, tmp_path: Path) -> LakeStore:
        made = connect(server, tmp_path / "cache")
        assert made.init()
        return made
