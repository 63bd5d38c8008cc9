"""A version that answers the same requests, and whose answers nobody gets: they are compared."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from headrace.core.serving import Answers, Request
from headrace.errors import Overloaded
from headrace.serving.roles import Serving

if TYPE_CHECKING:
    from headrace.serving.metrics import Metrics

log = logging.getLogger(__name__)

WAITING = 64  # requests; a shadow that cannot follow misses some
CLOSE = 1e-6  # relative to numbers above 1


class Shadow:
    """Answers requests again, one after the other, when there is time."""

    def __init__(self, model: str, serving: Serving, metrics: Metrics) -> None:
        self.serving = serving
        self._model = model
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[str, Request, Answers]] = asyncio.Queue(WAITING)
        self._task = asyncio.create_task(self._work())

    def take(self, request_id: str, request: Request, answers: Answers) -> None:
        """Take a request that was answered; drop it where too many wait."""
        try:
            self._waiting.put_nowait((request_id, request, answers))
        except asyncio.QueueFull:
            self._metrics.shadow_dropped(self._model, len(answers.predictions))

    async def stop(self) -> None:
        """Stop; what waits is dropped."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def settle(self) -> None:
        """Wait until everything that was taken is compared."""
        await self._waiting.join()

    async def _work(self) -> None:
        while True:
            request_id, request, answers = await self._waiting.get()
            try:
                await self._compare(request_id, request, answers)
            finally:
                self._waiting.task_done()

    async def _compare(self, request_id: str, request: Request, answers: Answers) -> None:
        rows = len(answers.predictions)
        try:
            theirs = await self.serving.batcher.submit(request)
        except Overloaded:
            self._metrics.shadow_dropped(self._model, rows)
            return
        except Exception as error:  # a shadow may do anything, and nobody may notice
            self._metrics.shadow_failed(self._model, rows)
            log.warning("the shadow of %s failed: %s: %s", self._model, type(error).__name__, error)
            return
        different = count_different(answers, theirs)
        self._metrics.shadow_compared(self._model, rows, different)
        if different:
            told = {
                "model": self._model,
                "shadow": self.serving.predictor.version,
                "request_id": request_id,
                "rows": rows,
                "different": different,
            }
            log.info("shadow differs %s", json.dumps(told))


def count_different(ours: Answers, theirs: Answers) -> int:
    """Return how many rows have another label or number, or where both give them, other probabilities."""
    import numpy as np

    mine, its = np.asarray(ours.predictions), np.asarray(theirs.predictions)
    if mine.dtype.kind == "f" and its.dtype.kind in "fiu":
        different = ~(np.abs(mine - its) <= CLOSE * np.maximum(np.abs(mine), 1.0))
    else:
        different = mine.astype(str) != its.astype(str)
    if ours.probabilities is not None and theirs.probabilities is not None:
        if np.shape(ours.probabilities) != np.shape(theirs.probabilities):
            return len(mine)
        different |= (np.abs(ours.probabilities - theirs.probabilities) > CLOSE).any(axis=1)
    return int(different.sum())
