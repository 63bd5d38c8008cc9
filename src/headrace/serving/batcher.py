"""Calls a model for several requests at once, as far as they come while it is busy anyway."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

from headrace.core.serving import Answers, Predictor, Request, RowSchema
from headrace.errors import Overloaded
from headrace.serving.metrics import Metrics

# A model that is quicker than this is called in the event loop: handing over to a thread costs as much.
INLINE_SECONDS = 0.0005
# A batch beyond `SURE_ROWS` is one that the model answers in this time, as far as the last call tells: large
# requests gain by company as well, and nobody waits long behind the batch of a slow model.
BATCH_SECONDS = 0.25
SURE_ROWS = 1024


class _Waiting:
    """A request and where its answer goes."""

    __slots__ = ("future", "request")

    def __init__(self, request: Request, future: asyncio.Future[Answers]) -> None:
        self.request, self.future = request, future


class AdaptiveBatcher:
    """Answers at once while the model is idle; while it works, requests gather for its next call.

    Nothing ever waits for company, so one client alone has no delay, and under load the batches grow
    as large as they must. The model is called in one thread, one call at a time; one that is very quick
    is called in the event loop. Used from one event loop.
    """

    def __init__(
        self, predictor: Predictor, schema: RowSchema, *, max_rows: int, max_waiting: int, metrics: Metrics
    ) -> None:
        self._predictor, self._schema, self._metrics = predictor, schema, metrics
        self._max_rows, self._max_waiting = max_rows, max_waiting
        self._waiting: deque[_Waiting] = deque()
        self._busy = False
        self._stopped = False
        self._idle: asyncio.Future[None] | None = None  # made by who waits for it
        self._calls: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Waiting]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last_seconds, self._last_rows = 1.0, 0  # of the last call; the first one is in the thread

    async def submit(self, request: Request) -> Answers:
        """Answer a request. Raises `Overloaded` at once where too many wait, and what the model raises."""
        if self._stopped or len(self._waiting) >= self._max_waiting:
            raise Overloaded(f"{len(self._waiting)} requests wait for {self._predictor.name}; try again")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future())
        self._waiting.append(waiting)
        self._metrics.waiting(self._predictor.name, len(self._waiting))
        if not self._busy:
            self._busy = True
            # Not at once: what else arrived in this turn of the loop comes along.
            loop.call_soon(self._next, loop)
        return await waiting.future

    async def drain(self) -> None:
        """Wait until everything that was taken is answered, take nothing more, and end the thread."""
        self._stopped = True
        if self._busy:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, rows = self._take()
        if not batch:
            self._busy = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
            return
        self._metrics.waiting(self._predictor.name, len(self._waiting))
        self._metrics.batched(self._predictor.name, len(batch), rows)
        if self._last_seconds < INLINE_SECONDS and rows <= 4 * self._last_rows:
            self._finish(loop, batch, self._answer(batch))
            return
        if self._thread is None:
            name = f"headrace-{self._predictor.name}-{self._predictor.version}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._calls.put((loop, batch))

    def _take(self) -> tuple[list[_Waiting], int]:
        """Take what waits, up to the size of a batch, without those whose client has left."""
        batch: list[_Waiting] = []
        rows, most = 0, self._find_most_rows()
        while self._waiting:
            first = self._waiting[0]
            if not first.future.done():
                if batch and rows + first.request.rows > most:
                    break
                batch.append(first)
                rows += first.request.rows
            self._waiting.popleft()
        return batch, rows

    def _find_most_rows(self) -> int:
        in_time = int(BATCH_SECONDS * self._last_rows / max(self._last_seconds, 1e-6))
        return min(self._max_rows, max(SURE_ROWS, in_time))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            loop, batch = call
            results = self._answer(batch)
            try:
                loop.call_soon_threadsafe(self._finish, loop, batch, results)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            del call, batch, results  # keeps no request alive while there is nothing to do

    def _finish(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], results: Sequence[Answers | Exception]
    ) -> None:
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
        loop.call_soon(self._next, loop)

    def _answer(self, batch: list[_Waiting]) -> Sequence[Answers | Exception]:
        """Answer the requests of a batch in one call; where that fails, each in its own."""
        requests = [waiting.request for waiting in batch]
        began = time.perf_counter()
        try:
            answers = self._call(together(requests))
            results: Sequence[Answers | Exception] = apart(answers, requests)
        except BaseException as error:
            if len(requests) == 1:
                return [_as_failure(error)]
            return [self._answer_one(request) for request in requests]
        self._last_seconds = time.perf_counter() - began
        self._last_rows = sum(request.rows for request in requests)
        return results

    def _answer_one(self, request: Request) -> Answers | Exception:
        try:
            return apart(self._call(request), [request])[0]
        except BaseException as error:
            return _as_failure(error)

    def _call(self, request: Request) -> Answers:
        columns = self._predictor.takes_columns
        rows: Any = request.columns if columns else self._schema.to_frame(request.columns)
        return self._predictor.answer(rows, request.probabilities)


def _as_failure(error: BaseException) -> Exception:
    """Return what a future takes: a model that calls `sys.exit` must not end the thread, nor the service."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    failure = RuntimeError(f"the model raised {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def together(requests: Sequence[Request]) -> Request:
    """Join requests into one. Lists are joined, and one table is made of them: joining tables costs more."""
    if len(requests) == 1:
        return requests[0]
    columns = {
        name: [value for request in requests for value in request.columns[name]]
        for name in requests[0].columns
    }
    rows = sum(request.rows for request in requests)
    return Request(
        columns=columns, rows=rows, probabilities=any(request.probabilities for request in requests)
    )


def apart(answers: Answers, requests: Sequence[Request]) -> list[Answers]:
    """Give each request its own rows of the answers.

    Raises `ValueError` where the model did not answer each row: answers must not go to the wrong client.
    """
    rows = sum(request.rows for request in requests)
    if len(answers.predictions) != rows:
        raise ValueError(f"the model gave {len(answers.predictions)} answers to {rows} rows")
    parts, start = [], 0
    for request in requests:
        stop = start + request.rows
        shown = request.probabilities and answers.probabilities is not None
        parts.append(
            Answers(
                predictions=answers.predictions[start:stop],
                probabilities=answers.probabilities[start:stop] if shown else None,
            )
        )
        start = stop
    return parts
