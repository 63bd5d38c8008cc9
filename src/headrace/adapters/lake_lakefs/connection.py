"""Calls on one repository: repeated where that is safe, and made once where it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from headrace.adapters.lake_lakefs.answers import Failed, Failure, delay_seconds
from headrace.adapters.lake_lakefs.client import Body, Client
from headrace.adapters.lake_lakefs.settings import Settings
from headrace.errors import LakeError, RepositoryNotFound

FIRST_CONTACT_SECONDS = 3.0  # an address that was never reached is most likely a wrong one


class Connection:
    """One repository on one server. Safe from several threads, and in a forked process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = Client(settings)

    def call(
        self,
        what: str,
        operation: str,
        *names: str,
        body: Body | None = None,
        done: Callable[[], Any] | None = None,
        **query: Any,
    ) -> Any:
        """Call `<api>.<method>` of the client on the repository, and return the answer as plain data.

        Tried again while that is safe. A call that may not happen twice gives `done`, which returns
        its result where it has happened, else None: it is asked whenever an answer was lost.
        """

        def attempt() -> Any:
            return self.client.once(what, operation, *names, body=body, **query)

        return self.persist(attempt, done)

    def persist(
        self,
        attempt: Callable[[], Any],
        done: Callable[[], Any] | None = None,
        received: Callable[[], int] = int,
        inner: bool = False,
    ) -> Any:
        """Attempt until it works, cannot work, or has failed for too long. Raises the port's errors.

        `attempt` raises `Failed`. While `received` grows, a transfer that keeps breaking off has not
        failed. Inside another `persist`, `inner` raises `Failed` for the outer one to judge.
        """
        tries, doubtful, failing_since = 0, False, 0.0
        while True:
            before = received()
            try:
                return attempt()
            except Failed as failed:
                failure = failed.failure
            doubtful = doubtful or not failure.nothing_done
            if doubtful and done is not None and (found := done()) is not None:
                return found
            if not tries or received() > before:
                tries, failing_since = 0, time.monotonic()
            pause = delay_seconds(tries, failure)
            late = time.monotonic() + pause - failing_since > self._patience_seconds
            if late or not failure.again:
                if inner:
                    raise Failed(failure)
                raise self._explained(failure, doubtful and done is not None)
            time.sleep(pause)
            tries += 1

    @cached_property
    def storage(self) -> Mapping[str, Any]:
        """What the server says of its storage: if it signs URLs, and where it puts repositories."""
        config = self.call("ask what the server can do", "config.get_config")
        return dict(config.get("storage_config") or {})

    @property
    def repository(self) -> str:
        return self.settings.repository

    def api_url(self, *parts: str, **query: str) -> str:
        """Return the URL of an API route on the repository."""
        route = "/".join(quote(part, safe="") for part in ("repositories", self.repository, *parts))
        return f"{self.settings.endpoint}/{route}" + (f"?{urlencode(query)}" if query else "")

    def repository_exists(self) -> bool:
        """Ask the server once."""
        try:
            what = f"look for repository {self.repository!r}"
            self.client.once(what, "repositories.get_repository", self.repository)
        except Failed as failed:
            if failed.failure.status == 404:
                return False
            raise failed.failure.error from failed
        return True

    @property
    def _patience_seconds(self) -> float:
        wanted = self.settings.retry_seconds
        return wanted if self.client.reached else min(wanted, FIRST_CONTACT_SECONDS)

    def _explained(self, failure: Failure, doubtful: bool) -> LakeError:
        """Return the error, or where all fails for want of the repository one that says so."""
        if failure.status == 404 and not self.client.found and not self.repository_exists():
            return RepositoryNotFound(
                f"{urlsplit(self.settings.endpoint).netloc} has no repository {self.repository!r}; to create "
                f"it, type: headrace lake init --lake lakefs -o lake.repository={self.repository}"
            )
        error = failure.error
        if doubtful and failure.again:
            return type(error)(f"{error}; an answer was lost, so it may have happened: look first")
        return error
