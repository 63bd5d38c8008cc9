"""One HTTP request and what becomes of it: headers read once, a bounded body, an answer or a refusal."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import to_json

from headrace.serving.metrics import Reason

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
SCOPE_KEY = "headrace.exchange"
CLIENT_GONE = 499  # nginx' word for it in the log: nobody is there to read an answer
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}").fullmatch


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    body: bytes
    status: int = 200
    media: bytes = JSON
    headers: Sequence[Header] = ()


class Refused(Exception):
    """A request that is told no: the status, why in words, and for the metrics in one word."""

    def __init__(
        self,
        status: int,
        told: str,
        reason: Reason,
        more: Mapping[str, Any] | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        self.status, self.told, self.reason = status, told, reason
        self.more, self.headers = more or {}, headers
        super().__init__(told)


class ClientGone(Exception):
    """The client closed the connection before it had its answer."""


@dataclass(slots=True)
class Exchange:
    """A request under way. What is found out of it is put here, for the log and the metrics."""

    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    id: str
    began: float = field(default_factory=time.perf_counter)
    route: str = "other"
    model: str = ""
    version: int = 0
    rows: int = 0
    status: int = 0
    held: int = 0  # bytes of body, until the answer is sent
    trouble: str = ""

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> Exchange:
        """Read the headers; a client's own request id is kept where it is short and plain."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        return cls(scope, receive, headers, given.decode() if _SANE_ID(given) else uuid.uuid4().hex)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def header(self, name: bytes) -> str:
        """Return a header by its name in lower case, "" where there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    def media_type(self) -> str:
        """Return the type of the body without its parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    def flag(self, name: str) -> bool | None:
        """Return a parameter of the query as yes or no; None where it lacks. Raises `Refused`."""
        query = self.scope.get("query_string", b"")
        if not query:
            return None
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if unknown := [key for key, _ in pairs if key != name]:
            raise Refused(422, f"there is no parameter {unknown[0][:50]!r}; there is: {name}", "bad_request")
        values = [value for key, value in pairs if key == name]
        if not values:
            return None
        if values not in (["true"], ["false"], ["1"], ["0"]):
            found = " and ".join(values)[:50]
            raise Refused(422, f"the parameter {name} is {found!r}, and must be true or false", "bad_request")
        return values in (["true"], ["1"])

    async def watched(self, answer: Awaitable[Any], after_seconds: float = 0.2) -> Any:
        """Await an answer, and give it up where the client leaves; one that is quick pays next to nothing."""
        task = asyncio.current_task()
        watch: list[asyncio.Task[None]] = []
        gone = False

        async def listen() -> None:
            nonlocal gone
            while (await self.receive())["type"] != "http.disconnect":
                pass
            gone = True
            if task is not None:
                task.cancel()

        loop = asyncio.get_running_loop()
        timer = loop.call_later(after_seconds, lambda: watch.append(loop.create_task(listen())))
        try:
            return await answer
        except asyncio.CancelledError:
            if not gone or task is None:
                raise
            task.uncancel()
            raise ClientGone from None
        finally:
            timer.cancel()
            if watch:
                watch[0].cancel()

    async def send(self, send: Send, reply: Reply) -> None:
        """Send a reply, with the request's id in its headers."""
        self.status = reply.status
        headers = [
            (b"content-type", reply.media),
            (b"content-length", str(len(reply.body)).encode()),
            (b"x-request-id", self.id.encode()),
            *reply.headers,
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def json_reply(content: Any, status: int = 200, headers: Sequence[Header] = ()) -> Reply:
    """Make a reply in JSON; what is no number there (NaN, infinity) is null."""
    return Reply(to_json(content, inf_nan_mode="null"), status, JSON, headers)


def refusal(refused: Refused) -> Reply:
    """Make the reply that tells why not."""
    return json_reply({"error": refused.told, **refused.more}, refused.status, refused.headers)
