"""What stands before every route: request id, bearer token, the one place where errors become answers."""

from __future__ import annotations

import hmac
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from headrace.serving.exchange import (
    CLIENT_GONE,
    SCOPE_KEY,
    ClientGone,
    Exchange,
    Receive,
    Refused,
    Reply,
    Scope,
    Send,
    json_reply,
    refusal,
)
from headrace.serving.limits import BodyReader
from headrace.serving.metrics import Metrics
from headrace.serving.predict import ModelFailed, refused_by
from headrace.serving.request_log import RequestLog

App = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN = ("/health/", "/v2/health/")  # need no token: an orchestrator asks them


class Endpoint:
    """One route: a handler that makes a reply of an exchange. Plain ASGI: no layer that it does not need."""

    def __init__(self, handler: Callable[[Exchange], Awaitable[Reply]], route: str) -> None:
        self._handler, self._route = handler, route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = self._route
        await exchange.send(send, await self._handler(exchange))


class Front:
    """ASGI middleware around the whole application.

    A client is told why it was refused, and of a failure its request id and nothing else; the
    traceback goes into the log.
    """

    def __init__(
        self, app: App, *, token: str | None, bodies: BodyReader, metrics: Metrics, log: RequestLog
    ) -> None:
        self._app, self._bodies, self._metrics, self._log = app, bodies, metrics, log
        self._token = token.encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[SCOPE_KEY] = Exchange.of(scope, receive)
        try:
            self._check_token(exchange)
            await self._app(scope, receive, send)
        except ClientGone:
            exchange.status = CLIENT_GONE
        except Exception as error:
            await self._tell(exchange, error, send)
        finally:
            self._bodies.release(exchange)
            self._metrics.answered(exchange.model, exchange.route, exchange.status, exchange.seconds)
            self._log.write(exchange)

    def _check_token(self, exchange: Exchange) -> None:
        if self._token is None or exchange.scope["path"].startswith(OPEN):
            return
        scheme, _, token = exchange.headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token, self._token):
            headers = ((b"www-authenticate", b"Bearer"),)
            raise Refused(401, "send the header Authorization: Bearer TOKEN", "token", headers=headers)

    async def _tell(self, exchange: Exchange, error: Exception, send: Send) -> None:
        if exchange.status:  # an answer is under way: it cannot be another one
            raise error
        refused = refused_by(error)
        if refused is not None:
            self._metrics.rejected(refused.reason)
            exchange.trouble = refused.reason
            await exchange.send(send, refusal(refused))
            return
        cause = error.__cause__ if isinstance(error, ModelFailed) and error.__cause__ else error
        exchange.trouble = "".join(traceback.format_exception(cause))[-4000:]
        what = "the model failed on these rows" if isinstance(error, ModelFailed) else "the service failed"
        told: dict[str, Any] = {"error": f"{what}; the log tells more of request {exchange.id}"}
        await exchange.send(send, json_reply(told | {"request_id": exchange.id}, 500))
