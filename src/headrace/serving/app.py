"""The service as one Starlette application: which path is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from headrace.serving.docs_page import make_page
from headrace.serving.exchange import SCOPE_KEY, Exchange, Reply, json_reply
from headrace.serving.front import Endpoint, Front
from headrace.serving.metrics import CONTENT_TYPE, Metrics
from headrace.serving.models_page import ModelPages
from headrace.serving.openapi import describe_service
from headrace.serving.predict import Predictions
from headrace.serving.protocol_v2 import ProtocolV2
from headrace.serving.request_log import RequestLog
from headrace.serving.roles import Host, PredictionLog
from headrace.serving.settings import ServeSettings


def make_app(
    host: Host,
    settings: ServeSettings,
    log: PredictionLog,
    metrics: Metrics,
    requests: RequestLog | None = None,
) -> Starlette:
    """Make the application for one host.

    Not FastAPI, which stands on Starlette: the model's own schema reads the bytes, once, and says what
    OpenAPI is to say, so all that FastAPI would add is a third of a second at the start.
    """
    predictions = Predictions(host, settings, log)

    def document() -> dict[str, Any]:
        return describe_service(host.models if host.ready else {}, settings)

    routes = _routes(host, predictions, metrics, document)
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_here})
    app.router.redirect_slashes = False
    app.add_middleware(
        Front,
        token=settings.token,
        bodies=predictions.bodies,
        metrics=metrics,
        log=requests or RequestLog(),
    )
    if settings.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "x-request-id", settings.routing_header],
            expose_headers=["x-request-id", "x-model-version"],
        )
    return app


def _routes(
    host: Host, predictions: Predictions, metrics: Metrics, document: Callable[[], dict[str, Any]]
) -> list[Route]:
    def route(path: str, handler: Any, method: str = "GET") -> Route:
        return Route(path, Endpoint(handler, path), methods=[method])

    pages, v2 = ModelPages(predictions), ProtocolV2(predictions)

    async def live(_: Exchange) -> Reply:
        return json_reply({"live": True})

    async def ready(_: Exchange) -> Reply:
        return json_reply({"ready": host.ready}, 200 if host.ready else 503)

    async def figures(_: Exchange) -> Reply:
        return Reply(metrics.text(), media=CONTENT_TYPE.encode())

    async def openapi(_: Exchange) -> Reply:
        return json_reply(document())

    async def docs(_: Exchange) -> Reply:
        return make_page(document())

    return [
        route("/predict", predictions.post, "POST"),
        route("/models/{name}/predict", predictions.post, "POST"),
        route("/v2/models/{name}/infer", v2.infer, "POST"),
        route("/v2/models/{name}/versions/{version}/infer", v2.infer, "POST"),
        route("/models", pages.every),
        route("/models/{name}", pages.one),
        route("/models/{name}/example", pages.example),
        route("/v2", v2.server),
        route("/v2/health/live", v2.live),
        route("/v2/health/ready", v2.ready),
        route("/v2/models/{name}", v2.model),
        route("/v2/models/{name}/ready", v2.model_ready),
        route("/v2/models/{name}/versions/{version}", v2.model),
        route("/v2/models/{name}/versions/{version}/ready", v2.model_ready),
        route("/health/live", live),
        route("/health/ready", ready),
        route("/metrics", figures),
        route("/openapi.json", openapi),
        route("/docs", docs),
    ]


async def _not_here(request: HttpRequest, error: Exception) -> Response:
    """Tell of a path or method that nothing answers, in the form of every other refusal."""
    assert isinstance(error, HTTPException)
    exchange: Exchange = request.scope[SCOPE_KEY]
    exchange.status = error.status_code
    reply = json_reply({"error": f"{error.detail}: {request.method} {request.url.path[:200]}; see /docs"})
    headers = {**(error.headers or {}), "x-request-id": exchange.id}
    return Response(reply.body, error.status_code, headers, "application/json")
