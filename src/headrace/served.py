"""The service put together: lake, models, log and application, in one process or in several workers."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import HeadraceError, ModelNotFound, WrongWord, did_you_mean
from headrace.loaded import load_version, parse_model
from headrace.project import build_lake
from headrace.registry import find_aliased, find_numbered, list_models, read_registry
from headrace.serving.settings import CanarySettings, LogSettings, ServeSettings
from headrace.serving.status import close_service, is_alive, live_services, open_service

SETTINGS = "HEADRACE_SERVE_SETTINGS"  # for workers; the token is in its own variable and never here
TOKEN = "HEADRACE_SERVE_TOKEN"
FOLDER = "HEADRACE_SERVE_FOLDER"
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PARENT_SECONDS = 1.0  # between two looks of a worker for its parent
BACKLOG = 2048  # connections that wait to be accepted
HANGS_SECONDS = 10  # without a sign of life of a worker; to start one takes a while on a busy machine


class ServiceFailed(HeadraceError):
    """The service could not start; the message says why."""


def serve(settings: ServeSettings, announce: Callable[[str, Mapping[str, int]], None]) -> int:
    """Serve until told to stop. Returns 0 after a stop that lost nothing.

    `announce` gets the URL and the versions once the service listens.

    Raises:
        ModelNotFound: A model, alias or version is not there.
        ServiceFailed: The address is taken, or a model does not load.
    """
    for name in ONE_THREAD:  # of small batches threads only cost; `workers` is for cores
        os.environ.setdefault(name, "1")
    lake = build_lake(settings.lake)
    versions = _find_versions(lake, settings)
    listener = _bind(settings)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    root = Path(settings.headrace_dir)
    for _ in live_services(root):  # removes what dead ones left
        pass
    folder = open_service(root, f"{port}-{uuid4().hex[:8]}", url, list(settings.models))
    try:
        if settings.workers == 1:
            return _serve_here(settings, folder, listener, partial(announce, url, versions))
        return _serve_with_workers(settings, folder, listener, partial(announce, url, versions))
    finally:
        listener.close()
        close_service(folder)


class Service:
    """The ASGI application: everything is made and undone in the lifespan, inside of the event loop."""

    def __init__(self, settings: ServeSettings, folder: Path | None, parent: int | None = None) -> None:
        self._settings, self._folder, self._parent = settings, folder, parent
        self._app: Any = None
        self._host: Any = None
        self._log: Any = None
        self.failure: Exception | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    async def start(self) -> None:
        """Load every model, and be ready to answer."""
        from headrace.serving.app import make_app
        from headrace.serving.metrics import Metrics

        settings = self._settings
        metrics = Metrics()
        lake = build_lake(settings.lake)
        self._log = make_log(settings, lake, metrics)
        self._host = make_host(settings, lake, metrics, self._folder)
        await self._host.start()
        self._app = make_app(self._host, settings, self._log, metrics)

    async def stop(self) -> None:
        """Answer what is under way, and keep every prediction that was made."""
        from headrace.serving.metrics import Metrics

        if self._host is not None:
            await self._host.stop()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)
        Metrics.forget_process(os.getpid())

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            self.failure = error
            await self.stop()
            # Nobody sees the failure of a worker but by what it writes.
            told = "" if self._settings.workers == 1 else _say(error)
            await send({"type": "lifespan.startup.failed", "message": told})
            return
        _collect_again()
        watch = asyncio.create_task(_end_with(self._parent)) if self._parent is not None else None
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if watch is not None:
            watch.cancel()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def make_host(settings: ServeSettings, lake: LakeStore, metrics: Any, folder: Path | None) -> Any:
    """Return what hosts the models of the settings; nothing is loaded yet."""
    from headrace.adapters.schema_pydantic import PydanticRows
    from headrace.serving.batcher import AdaptiveBatcher
    from headrace.serving.host import ServiceHost
    from headrace.serving.hosting import HostedModel, Parts

    def load(name: str, version: int, commit: str) -> Any:
        return load_version(lake, name, version=version, commit=commit, engine=settings.engine)

    def batcher(predictor: Any, schema: Any) -> AdaptiveBatcher:
        limits = {"max_rows": settings.max_batch_rows, "max_waiting": settings.max_waiting}
        return AdaptiveBatcher(predictor, schema, metrics=metrics, **limits)

    parts = Parts(
        load=load,
        schema=lambda predictor: PydanticRows(predictor.signature, max_rows=settings.max_rows),
        batcher=batcher,
        metrics=metrics,
    )
    models = {}
    for one in settings.models:
        name, alias, version = parse_model(one)
        models[name] = HostedModel(name, alias, version, settings, parts)
    return ServiceHost(
        models,
        head=partial(lake.resolve, MAIN),
        registry=lambda name, commit: read_registry(lake, commit, name),
        folder=folder,
        watch_seconds=settings.watch_seconds,
        follows=metrics.follows_lake,
    )


def make_log(settings: ServeSettings, lake: LakeStore, metrics: Any) -> Any:
    """Return what keeps the predictions."""
    from headrace.serving.prediction_log import LakePredictionLog, NoLog

    if not settings.log.on:
        return NoLog()
    return LakePredictionLog(lake, Path(settings.headrace_dir), settings.log, metrics)


def worker() -> Service:
    """Make the application of one worker process, from what its parent left in the environment."""
    collect_later()
    settings = settings_from_json(json.loads(os.environ[SETTINGS]))
    _log_to_stderr()
    _forget_dead_workers()
    settings = replace(settings, token=os.environ.get(TOKEN) or None)
    return Service(settings, Path(os.environ[FOLDER]), parent=os.getppid())


def collect_later() -> None:
    """Look for no garbage until the service is ready: imports leave hardly any, and much to search."""
    gc.disable()


def _collect_again() -> None:
    """Look for garbage from now on, and never in what was there before the first request."""
    gc.freeze()
    gc.enable()


async def _end_with(parent: int) -> None:
    """Stop this worker once its parent was killed: it would keep the address, and nobody would know of it."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_SECONDS)
    logging.getLogger(__name__).warning("the service was killed: this worker stops")
    os.kill(os.getpid(), signal.SIGTERM)


def _forget_dead_workers() -> None:
    """Let the figures say nothing more of workers that died and are replaced."""
    from headrace.serving.metrics import Metrics

    files = Path(os.environ[MULTIPROCESS_DIR]).glob("gauge_live*_*.db")
    for pid in {int(file.stem.rpartition("_")[2]) for file in files}:
        if not is_alive(pid):
            Metrics.forget_process(pid)


def settings_from_json(data: Mapping[str, Any]) -> ServeSettings:
    """Rebuild settings from what `asdict` and JSON made of them."""
    log, canary = LogSettings(**data["log"]), CanarySettings(**data["canary"])
    return ServeSettings(**{**data, "log": log, "canary": canary})


def _find_versions(lake: LakeStore, settings: ServeSettings) -> dict[str, int]:
    """Return which version each model is served by. Raises `ModelNotFound` and `WrongWord`."""
    found: dict[str, int] = {}
    for one in settings.models:
        name, alias, version = parse_model(one)
        if name in found:
            raise WrongWord(f"model: {name} is named twice; one service has one alias of a model")
        registry = read_registry(lake, MAIN, name)
        if not registry["versions"]:
            raise ModelNotFound(f"the lake has no model '{name}'; {did_you_mean(name, list_models(lake))}")
        entry = find_aliased(registry, alias) if version is None else find_numbered(registry, version)
        found[name] = int(entry["version"])
    return found


def _bind(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        hint = "type: port=0 for any that is free, or another number"
        raise ServiceFailed(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; {hint}"
        ) from error
    listener.set_inheritable(True)
    return listener


def _serve_here(
    settings: ServeSettings, folder: Path, listener: socket.socket, announce: Callable[[], None]
) -> int:
    import uvicorn

    service = Service(settings, folder)
    _log_to_stderr()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce()

    server = Server(_config(service, settings))
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            server.run(sockets=[listener])
    except SystemExit:  # uvicorn leaves by itself where the application does not start
        if service.failure is None:
            raise
        if isinstance(service.failure, HeadraceError):
            raise service.failure from None
        raise ServiceFailed(_say(service.failure)) from service.failure
    return 0


def _say(error: Exception) -> str:
    return str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"


def _serve_with_workers(
    settings: ServeSettings, folder: Path, listener: socket.socket, announce: Callable[[], None]
) -> int:
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    class Workers(Multiprocess):
        told = False

        def keep_subprocess_alive(self) -> None:
            super().keep_subprocess_alive()
            if not (self.told or self.should_exit.is_set()) and all(one.is_ready() for one in self.processes):
                self.told = True
                announce()

    figures = tempfile.mkdtemp(prefix="headrace-metrics-")
    os.environ[MULTIPROCESS_DIR] = figures
    os.environ[SETTINGS] = json.dumps(asdict(replace(settings, token=None)))
    os.environ[FOLDER] = str(folder)
    if settings.token:
        os.environ[TOKEN] = settings.token
    supervisor = Workers(_config("headrace.served:worker", settings), sockets=[listener])
    try:
        with suppress(KeyboardInterrupt):
            supervisor.run()
    finally:
        shutil.rmtree(figures, ignore_errors=True)
    if any(one.exitcode == STARTUP_FAILURE for one in supervisor.processes):
        raise ServiceFailed("a worker could not start; what it said of that stands above")
    return 0


def _config(app: Any, settings: ServeSettings) -> Any:
    import uvicorn

    from headrace.serving.bounded_http import BoundedProtocol

    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_worker_healthcheck=HANGS_SECONDS,
        timeout_graceful_shutdown=max(int(settings.stop_seconds), 1),
    )


def _log_to_stderr() -> None:
    """Let what the service says of itself go where its request log goes."""
    from headrace.serving.request_log import LogLines

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogLines())
    logger = logging.getLogger("headrace")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addHandler(handler)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
