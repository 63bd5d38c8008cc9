"""What the tests of the lakeFS adapter share: a stand-in that holds every request against the API's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.testing.lakefs import StandInServer, find_spec


def connect(server: StandInServer, cache: Path, **settings: object) -> LakeFSStore:
    """Return a store on the stand-in that does not try for long."""
    given = {"repository": "demo", "retry_seconds": 10.0, "timeout_seconds": 20.0, **settings}
    return LakeFSStore(
        endpoint=server.endpoint,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        cache_dir=cache,
        **given,  # type: ignore[arg-type]
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandInServer]:
    """A stand-in with the repository `demo`; no request of a test may break the API's description."""
    with StandInServer(tmp_path / "server", spec=find_spec()) as started:
        started.create_repository("demo")
        yield started
        assert started.violations == []


@pytest.fixture
def lake(server: StandInServer, tmp_path: Path) -> LakeFSStore:
    return connect(server, tmp_path / "cache")
