"""A new version takes over once it has shown that it answers, and an old one stays until then."""

from __future__ import annotations

import asyncio

import pytest

from headrace.errors import LakeUnavailable, ModelNotFound, PackageRefused
from headrace.serving import hosting
from headrace.serving.hosting import HostedModel
from headrace.serving.metrics import Metrics
from tests.serving.hosts import Direct, Doubler, Shelf, ask, hosted


@pytest.fixture(autouse=True)
def _retire_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "RETIRE_SECONDS", 0.0)


def drained(model: HostedModel) -> bool:
    batcher = model.stable.batcher
    assert isinstance(batcher, Direct)
    return batcher.drained


def test_an_alias_that_moves_swaps_the_version_and_drains_the_old_one() -> None:
    """Who chose the old version before is still answered by it."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2, factor=10.0))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1}))
        old = model.stable
        assert await ask(model) == (1, 2.0)
        await model.follow("c2", shelf.registry({"production": 2}))
        assert await ask(model) == (2, 10.0)
        await asyncio.sleep(0.01)
        assert isinstance(old.batcher, Direct)
        assert old.batcher.drained
        assert not drained(model)
        await model.stop()

    asyncio.run(body())


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Doubler(2, broken=True), "RuntimeError: broken"),
        (Doubler(2, wrong=True), "says 6.0 of its example, and said 7.0 when it was published"),
    ],
)
def test_a_version_that_fails_its_check_is_refused_and_the_old_one_stays(bad: Doubler, why: str) -> None:
    """It is told why, and the version is not tried again until the registry changes."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), bad)
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1}))
        for commit in ("c2", "c3"):
            await model.follow(commit, shelf.registry({"production": 2}))
        assert await ask(model) == (1, 2.0)
        assert why in model.status()["refused"]["why"]
        assert shelf.loaded == [1, 2]
        await model.follow("c4", shelf.registry({"production": 1}))
        assert model.status()["refused"] is None
        await model.stop()

    asyncio.run(body())


def test_the_first_version_that_does_not_load_stops_the_service() -> None:
    """There is nothing that could stay, so the error is raised."""

    async def body() -> None:
        shelf = Shelf(Doubler(99))
        with pytest.raises(PackageRefused, match=r"estimator\.skops"):
            await hosted(shelf).follow("c1", shelf.registry({"production": 99}))
        with pytest.raises(ModelNotFound, match="no alias 'production'; there are: staging"):
            await hosted(shelf).follow("c1", shelf.registry({"staging": 99}))

    asyncio.run(body())


def test_an_alias_that_is_taken_away_leaves_the_version_in_service() -> None:
    """A registry that names nothing any more is no reason to answer nobody."""

    async def body() -> None:
        shelf = Shelf(Doubler(1))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1}))
        await model.follow("c2", shelf.registry({}))
        assert (await ask(model))[0] == 1
        await model.stop()

    asyncio.run(body())


def test_a_canary_gets_its_share_by_key_and_keeps_its_loaded_model_when_promoted() -> None:
    """The same key meets the same version; promotion loads nothing again."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1, "canary": 2}, share=0.3))
        first = {key: (await ask(model, key))[0] for key in map(str, range(300))}
        again = {key: (await ask(model, key))[0] for key in map(str, range(300))}
        assert first == again
        assert 50 < sum(version == 2 for version in first.values()) < 130
        await model.follow("c2", shelf.registry({"production": 2}))
        await asyncio.sleep(0.01)
        assert shelf.loaded == [1, 2]
        assert await ask(model) == (2, 2.0)
        assert not drained(model)
        await model.stop()

    asyncio.run(body())


def test_a_canary_that_errs_is_sent_away_until_it_is_tried_anew() -> None:
    """Two of a hundred requests may not fail; afterwards everybody is answered by the stable version."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        metrics = Metrics()
        model = hosted(shelf, metrics)
        registry = shelf.registry({"production": 1, "canary": 2}, share=1.0)
        await model.follow("c1", registry)
        shelf.versions[2].broken = True
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await ask(model, "k")
        assert await ask(model, "k") == (1, 2.0)
        assert model.status()["canary_returned"] == "version 2: 2 of 2 requests failed, and 1.00% may"
        await model.follow("c2", registry)
        assert (await ask(model, "k"))[0] == 1
        shelf.versions[2].broken = False
        await model.follow("c3", shelf.registry({"production": 1, "canary": 2}, share=0.99))
        assert model.status()["canary"] == 2
        assert b'headrace_canary_returns_total{model="double"} 1.0' in metrics.text()
        await model.stop()

    asyncio.run(body())


def test_what_is_published_meanwhile_brings_no_canary_back_and_forgets_no_figures() -> None:
    """A registry changes for many reasons; only a move of the alias is another trial."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        model = hosted(shelf)
        trial = {"production": 1, "canary": 2}
        await model.follow("c1", shelf.registry(trial, share=1.0))
        assert (await ask(model, "k"))[0] == 2
        await model.follow("c2", shelf.registry(trial | {"staging": 1}, share=1.0))
        assert model.status()["figures"]["canary"]["requests"] == 1
        shelf.versions[2].broken = True
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await ask(model, "k")
        await model.follow("c3", shelf.registry(trial | {"staging": 2}, share=1.0))
        assert (await ask(model, "k"))[0] == 1
        assert "version 2" in model.status()["canary_returned"]
        await model.stop()

    asyncio.run(body())


def test_a_request_that_a_replaced_canary_answered_is_not_counted_for_the_next_one() -> None:
    """It was chosen before the swap and came out after it."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2), Doubler(3))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1, "canary": 2}, share=1.0))
        old = model.choose("k")
        await model.follow("c2", shelf.registry({"production": 1, "canary": 3}, share=1.0))
        for _ in range(5):
            model.observe(old, 0.001, True)
        assert model.status()["figures"]["canary"]["requests"] == 0
        assert (await ask(model, "k"))[0] == 3
        await model.stop()

    asyncio.run(body())


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_version_that_takes_other_rows_is_no_canary_and_no_shadow(role: str) -> None:
    """It would refuse the clients of the stable version; it may take over, when they send its columns."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2, example={"x": [3.0], "y": [1.0]}))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1, role: 2}, share=1.0))
        assert await ask(model, "k") == (1, 2.0)
        assert model.status()[role] is None
        told = "it takes other rows than version 1: row 0, column y: found none, wanted a number"
        assert model.status()["refused"] == {"version": 2, "why": told}
        await model.follow("c2", shelf.registry({"production": 2}))
        assert (await ask(model))[0] == 2
        await model.stop()

    asyncio.run(body())


def test_a_lake_that_is_away_refuses_no_version() -> None:
    """It says nothing of the version, which the next look at the same commit loads."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2))
        model = hosted(shelf)
        await model.follow("c1", shelf.registry({"production": 1}))
        shelf.away = True
        with pytest.raises(LakeUnavailable):
            await model.follow("c2", shelf.registry({"production": 2}))
        assert await ask(model) == (1, 2.0)
        assert model.status()["refused"] is None
        shelf.away = False
        await model.follow("c2", shelf.registry({"production": 2}))
        assert (await ask(model))[0] == 2
        await model.stop()

    asyncio.run(body())


def test_a_shadow_answers_the_same_rows_and_nobody_gets_it() -> None:
    """Rows that it answers otherwise are counted; one that raises is counted, and harms nobody."""

    async def body() -> None:
        shelf = Shelf(Doubler(1), Doubler(2, factor=3.0))
        metrics = Metrics()
        model = hosted(shelf, metrics)
        await model.follow("c1", shelf.registry({"production": 1, "shadow": 2}))
        assert await ask(model) == (1, 2.0)
        assert await ask(model, value=0.0) == (1, 0.0)
        assert model._shadow is not None
        await model._shadow.settle()
        shelf.versions[2].broken = True
        assert await ask(model) == (1, 2.0)
        await model._shadow.settle()
        counted = metrics.text().decode()
        for outcome in ("same", "different", "failed"):
            assert f'headrace_shadow_rows_total{{model="double",outcome="{outcome}"}} 1.0' in counted
        await model.stop()

    asyncio.run(body())
