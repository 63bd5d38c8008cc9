"""Every model of the service, kept as the lake says: the one loop that looks at it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.serving.hosting import HostedModel, Registry
from headrace.serving.status import forget_worker, tell_worker

log = logging.getLogger(__name__)

TELL_SECONDS = 5.0  # at most between two words to other processes


class ServiceHost:
    """Hosts models, and follows the head of `main`.

    Args:
        models: By name, in the order in which they were asked for.
        head: Returns the commit that `main` is at; asks the lake.
        registry: Returns a model's registry at a commit; asks the lake.
        folder: Where other processes are told what is served; None: nowhere.
        watch_seconds: How long to wait between two looks.
        follows: Is told after each look whether it went well.
    """

    def __init__(
        self,
        models: Mapping[str, HostedModel],
        head: Callable[[], str],
        registry: Callable[[str, str], Registry],
        folder: Path | None,
        watch_seconds: float,
        follows: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.models = models
        self.ready = False
        self._head, self._registry = head, registry
        self._folder = folder
        self._seconds = watch_seconds
        self._follows = follows
        self._commit = ""
        self._told: Any = None
        self._told_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load every model, and watch. Raises what keeps one from being served."""
        await self._look()
        self.ready = True
        self._follows(True)
        self._tell()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Look no more, answer what is under way, and tell that nothing is served."""
        self.ready = False
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(*(model.stop() for model in self.models.values()))
        if self._folder is not None:
            forget_worker(self._folder)

    async def _watch(self) -> None:
        trouble: list[str] = []
        while True:
            await asyncio.sleep(self._seconds)
            before, trouble = trouble, await self._look()
            self._follows(not trouble)
            for told in trouble:
                if told not in before:
                    log.warning("%s; what is served stays", told)
            if before and not trouble:
                log.info("new versions are followed again")
            self._tell()

    async def _look(self) -> list[str]:
        """Follow the lake where it is news; return what kept any model from that.

        A lake that is away changes nothing, nor does one model's trouble change what others do. Raises as
        long as the service is not ready.
        """
        try:
            commit = await asyncio.to_thread(self._head)
        except Exception as error:
            if not self.ready:
                raise
            return [f"the lake cannot be asked for new versions: {_say(error)}"]
        if commit == self._commit:
            return []
        trouble = []
        for name, model in self.models.items():
            try:
                registry = await asyncio.to_thread(self._registry, name, commit)
                await model.follow(commit, registry)
            except Exception as error:
                if not self.ready:
                    raise
                trouble.append(f"{name}: its registry cannot be followed: {_say(error)}")
        if not trouble:
            self._commit = commit
        return trouble

    def _tell(self) -> None:
        """Tell others what is served, where that is news or has not been told for a while."""
        if self._folder is None:
            return
        status = {name: model.status() for name, model in self.models.items()}
        now = time.monotonic()
        if status == self._told and now - self._told_at < TELL_SECONDS:
            return
        with suppress(OSError):  # a full disk must not stop a service
            tell_worker(self._folder, status)
            self._told, self._told_at = status, now


def _say(error: Exception) -> str:
    return str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
