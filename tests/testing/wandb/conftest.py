"""A stand-in for W&B, and the real client led to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.testing.wandb import WandbServer
from tests.wandb_client import WandbClient


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """A stand-in; the client of a test may ask for nothing that it does not know."""
    with WandbServer() as started:
        yield started
        assert started.complaints == []


@pytest.fixture
def client(server: WandbServer, tmp_path: Path) -> WandbClient:
    return WandbClient(server, tmp_path / "client")
