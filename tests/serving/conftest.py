"""A service in this process, asked as an HTTP client asks it."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from headrace.serving.app import make_app
from headrace.serving.bounded_http import BoundedProtocol
from headrace.serving.metrics import Metrics
from headrace.serving.request_log import RequestLog
from headrace.serving.settings import ServeSettings
from tests.serving.small_model import ListHost, ListLog, OneVersion, SmallModel, serve_small


class Service:
    """Everything of one service that a test looks at."""

    def __init__(self, *models: SmallModel, max_waiting: int = 256, **settings: Any) -> None:
        self.models = models or (SmallModel(),)
        self.metrics, self.log, self.lines = Metrics(), ListLog(), io.StringIO()
        self.hosted = [serve_small(model, self.metrics, max_waiting) for model in self.models]
        self.host = ListHost(self.hosted)
        self.settings = ServeSettings(models=[model.name for model in self.models], **settings)
        self.app = make_app(self.host, self.settings, self.log, self.metrics, RequestLog(self.lines))

    @property
    def model(self) -> SmallModel:
        return self.models[0]

    @property
    def first(self) -> OneVersion:
        return self.hosted[0]

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://service", timeout=30)

    def run(self, test: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        """Run a test's requests in a loop of their own."""

        async def main() -> Any:
            async with self.client() as client:
                return await test(client)

        return asyncio.run(main())

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request."""

        async def one(client: httpx.AsyncClient) -> httpx.Response:
            return await client.request(method, path, **more)

        response: httpx.Response = self.run(one)
        return response


@contextmanager
def listening(app: Any) -> Iterator[int]:
    """Serve an application on a free port of this machine, as the service is served; gives the port."""
    config = uvicorn.Config(
        app,
        port=0,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def service() -> Service:
    """A service of one model."""
    return Service()
