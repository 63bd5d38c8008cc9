"""How Prefect is imported and set for a run that somebody started in a shell and watches."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.context import SettingsContext


def import_prefect() -> None:
    """Import Prefect without telemetry, and without its hands on the root logger."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    first = "prefect" not in sys.modules

    # Some eleven hundred modules make no garbage, and looking for it takes a tenth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        import prefect.flow_engine
        import prefect.task_engine  # noqa: F401
    finally:
        if collecting:
            gc.enable()

    if first:
        # Importing Prefect puts its console handler on the root logger and removes what was there.
        root.setLevel(level)
        root.handlers[:] = handlers
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request otherwise


@contextmanager
def shell_settings(api_url: str) -> Iterator[None]:
    """Apply the settings of a run that somebody started in a shell and watches."""
    with _settings(api_url):
        yield


def _settings(api_url: str) -> SettingsContext:
    from prefect import settings
    from prefect.context import SettingsContext, get_settings_context

    before = get_settings_context()
    changed = before.settings.copy_with_update(
        updates={
            settings.PREFECT_API_URL: api_url,
            # A sync flow ends by joining the heartbeat thread, which sleeps in steps of a second.
            # Heartbeats find zombies among deployed runs; this one has a terminal.
            settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            # A round trip for each client, to learn what the first failing call would say too.
            settings.PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
        }
    )
    return SettingsContext(profile=before.profile, settings=changed)


_kept = threading.local()


def keep_settings(api_url: str) -> None:
    """Apply `shell_settings`, and open one client, for as long as this thread lives.

    Building the settings and a TLS context takes 0.15 s, which a worker with hundreds of jobs pays once.
    """
    from prefect.context import SyncClientContext

    if getattr(_kept, "url", None) == api_url:
        return
    # Entered by hand and never left: a generator would be left when the thread ends, in another context.
    _settings(api_url).__enter__()
    SyncClientContext().__enter__()
    _kept.url = api_url  # what is under another URL stays below it


def current_api_url() -> str | None:
    """Return the API that the flow run of this thread is on."""
    from prefect import settings

    url: str | None = settings.PREFECT_API_URL.value()
    return url


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep Prefect's log lines off the terminal, where the progress display is.

    They still reach the server: the handlers for that sit on the loggers below this one.
    """
    logger = logging.getLogger("prefect")
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
