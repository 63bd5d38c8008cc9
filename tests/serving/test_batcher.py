"""Tests of how requests share calls of a model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.serving import Answers, Request
from headrace.errors import Overloaded
from headrace.serving.batcher import AdaptiveBatcher
from headrace.serving.metrics import Metrics
from tests.serving.small_model import SmallModel


def request(length: float = 1.5, rows: int = 1, probabilities: bool = False) -> Request:
    columns: dict[str, list[Any]] = {"length": [length] * rows, "age": [3] * rows, "colour": ["red"] * rows}
    return Request(columns=columns, rows=rows, probabilities=probabilities)


def batcher(model: SmallModel, max_rows: int = 100, max_waiting: int = 100) -> AdaptiveBatcher:
    schema = PydanticRows(model.signature)
    return AdaptiveBatcher(model, schema, max_rows=max_rows, max_waiting=max_waiting, metrics=Metrics())


async def gather_behind_a_call(model: SmallModel, one: AdaptiveBatcher, requests: list[Request]) -> Any:
    """Hold the model in a first call, let the requests gather, and let it go."""
    model.go.clear()
    first = asyncio.create_task(one.submit(request()))
    while not model.calls:
        await asyncio.sleep(0.001)
    tasks = [asyncio.create_task(one.submit(each)) for each in requests]
    await asyncio.sleep(0.01)
    model.go.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_requests_that_come_while_the_model_works_share_its_next_call() -> None:
    """An idle model is called at once with what is there; the rest goes together, and each gets its own."""
    model = SmallModel()
    lengths = [-9.0, 9.0, -9.0, 9.0, -9.0]

    async def main() -> list[Answers]:
        one = batcher(model)
        found: list[Answers] = await gather_behind_a_call(model, one, [request(at, 2) for at in lengths])
        await one.drain()
        return found

    answers = asyncio.run(main())
    assert model.calls == [1, 10]
    assert [answer.predictions.tolist() for answer in answers] == [
        ["yes", "yes"] if length > 0 else ["no", "no"] for length in lengths
    ]
    assert all(answer.probabilities is None for answer in answers)


def test_only_who_asked_gets_probabilities() -> None:
    """Probabilities are given to the requests of a batch that want them."""
    model = SmallModel()
    requests = [request(), request(probabilities=True), request()]
    answers = asyncio.run(gather_behind_a_call(model, batcher(model), requests))
    assert [answer.probabilities is not None for answer in answers] == [False, True, False]
    assert answers[1].probabilities.shape == (1, 2)


def test_a_batch_has_a_largest_size() -> None:
    """A batch stops before the row that would be too many; one large request is a batch of its own."""
    model = SmallModel()
    requests = [request(rows=rows) for rows in (6, 4, 1, 25, 2)]
    asyncio.run(gather_behind_a_call(model, batcher(model, max_rows=10), requests))
    assert model.calls == [1, 10, 1, 25, 2]


def test_a_batch_grows_as_far_as_the_model_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a call that was slow for its rows a batch is small, and after a quick one it may be large."""
    monkeypatch.setattr("headrace.serving.batcher.BATCH_SECONDS", 10.0)
    model = SmallModel()
    requests = [request(rows=1000) for _ in range(3)]
    asyncio.run(gather_behind_a_call(model, batcher(model, max_rows=10_000), requests))
    assert model.calls == [1, 1000, 2000]


def test_a_row_that_fails_fails_alone() -> None:
    """Where a batch raises, its requests are answered one by one: only the guilty one fails."""
    model = SmallModel()
    model.fails_on = 13.0
    requests = [request(), request(13.0), request()]
    good, failed, also_good = asyncio.run(gather_behind_a_call(model, batcher(model), requests))
    assert good.predictions.tolist() == also_good.predictions.tolist() == ["yes"]
    assert isinstance(failed, ZeroDivisionError)


@pytest.mark.parametrize("raised", [SystemExit(3), StopIteration(), KeyboardInterrupt()])
def test_no_exception_ends_the_thread(raised: BaseException) -> None:
    """A model that exits or raises what asyncio does not carry fails that request and no other."""
    model = SmallModel()

    class Exits:
        def predict(self, _: Any) -> Any:
            raise raised

    async def main() -> Answers:
        one = batcher(model)
        working, model.estimator = model.estimator, Exits()
        with pytest.raises(RuntimeError, match=type(raised).__name__):
            await one.submit(request())
        model.estimator = working
        return await one.submit(request())

    assert asyncio.run(main()).predictions.tolist() == ["yes"]


def test_a_wrong_number_of_answers_reaches_nobody() -> None:
    """A model that answers too few rows fails: no request gets the answer of another."""
    model = SmallModel()

    class Short:
        def predict(self, rows: Any) -> Any:
            return rows["length"].to_numpy()[1:]

    model.estimator = Short()

    async def main() -> None:
        with pytest.raises(ValueError, match="gave 1 answers to 2 rows"):
            await batcher(model).submit(request(rows=2))

    asyncio.run(main())


def test_too_many_waiting_are_told_at_once() -> None:
    """What finds no place gets `Overloaded`; what waits is answered."""
    model = SmallModel()
    found = asyncio.run(gather_behind_a_call(model, batcher(model, max_waiting=3), [request()] * 5))
    assert [isinstance(one, Overloaded) for one in found] == [False, False, False, True, True]


def test_who_left_is_left_out() -> None:
    """A request that was cancelled while it waited costs the model nothing."""
    model = SmallModel()

    async def main() -> None:
        one = batcher(model)
        model.go.clear()
        first = asyncio.create_task(one.submit(request()))
        while not model.calls:
            await asyncio.sleep(0.001)
        gone, stays = (asyncio.create_task(one.submit(request(rows=rows))) for rows in (7, 2))
        await asyncio.sleep(0.01)
        gone.cancel()
        model.go.set()
        await asyncio.gather(first, stays)
        await one.drain()

    asyncio.run(main())
    assert model.calls == [1, 2]


def test_a_stop_answers_what_was_taken() -> None:
    """Draining waits for every answer, and nothing more is taken."""
    model = SmallModel()

    async def main() -> list[Answers]:
        one = batcher(model)
        model.go.clear()
        tasks = [asyncio.create_task(one.submit(request())) for _ in range(5)]
        await asyncio.sleep(0.01)
        drained = asyncio.create_task(one.drain())
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await one.submit(request())
        assert not drained.done()
        model.go.set()
        await drained
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(main())) == 5


def test_an_engine_without_tables_gets_columns() -> None:
    """A predictor that takes columns is given the joined lists, and no table is made."""
    seen: list[Any] = []

    class Columns(SmallModel):
        takes_columns = True

        def answer(self, rows: Any, probabilities: bool = False) -> Answers:
            seen.append(rows)
            import numpy as np

            return Answers(predictions=np.zeros(len(rows["age"])))

    asyncio.run(batcher(Columns()).submit(request(rows=2)))
    assert seen == [{"length": [1.5, 1.5], "age": [3, 3], "colour": ["red", "red"]}]
