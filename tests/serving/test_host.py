"""The loop that looks at the lake: trouble with it, or with one model, changes nothing for the others."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from headrace.errors import LakeUnavailable
from headrace.serving.host import ServiceHost
from tests.serving.hosts import Doubler, Shelf, hosted


class Lake:
    """Two models and the commit that `main` is at; `away` cannot be reached."""

    def __init__(self, shelf: Shelf) -> None:
        self.commit, self.away = "c1", False
        self.followed: list[bool] = []  # what the host said after each look
        self.registries: dict[str, Any] = {name: shelf.registry({"production": 1}) for name in ("a", "b")}

    def head(self) -> str:
        if self.away:
            raise LakeUnavailable("no answer")
        return self.commit

    def host(self, shelf: Shelf) -> ServiceHost:
        models = {name: hosted(shelf) for name in self.registries}

        def registry(name: str, _: str) -> Any:
            return self.registries[name]

        return ServiceHost(models, self.head, registry, None, 0.001, self.followed.append)


async def until(said: pytest.LogCaptureFixture, words: str) -> None:
    for _ in range(2000):
        if words in said.text:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(said.text)


def test_a_broken_registry_stops_no_other_model(caplog: pytest.LogCaptureFixture) -> None:
    """One model's registry cannot be read: it stays as it is, and the next model follows its own."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        lake = Lake(shelf)
        host = lake.host(shelf)
        await host.start()
        lake.registries = {"a": {"no": "registry"}, "b": shelf.registry({"production": 2})}
        lake.commit = "c2"
        await until(caplog, "a: its registry cannot be followed: KeyError")
        await until(caplog, "version 2 takes over")
        assert [host.models[name].stable.predictor.version for name in "ab"] == [1, 2]
        lake.registries["a"] = shelf.registry({"production": 2})
        await until(caplog, "followed again")
        assert host.models["a"].stable.predictor.version == 2
        await host.stop()

    with caplog.at_level(logging.INFO, "headrace"):
        asyncio.run(body())
    assert caplog.text.count("cannot be followed") == 1


def test_a_lake_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """What is served stays, the trouble is told when it begins and when it ends."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        lake = Lake(shelf)
        host = lake.host(shelf)
        await host.start()
        lake.away = True
        await until(caplog, "cannot be asked for new versions: no answer")
        await asyncio.sleep(0.02)
        assert host.models["a"].stable.predictor.version == 1
        assert lake.followed[-1] is False
        lake.away = False
        await until(caplog, "followed again")
        assert lake.followed[-1] is True
        await host.stop()

    with caplog.at_level(logging.INFO, "headrace"):
        asyncio.run(body())
    assert caplog.text.count("cannot be asked") == 1


def test_a_lake_that_is_away_at_the_start_is_an_error() -> None:
    """A service that could load nothing does not pretend to be one."""
    shelf = Shelf(Doubler(1))
    lake = Lake(shelf)
    lake.away = True
    with pytest.raises(LakeUnavailable):
        asyncio.run(lake.host(shelf).start())
