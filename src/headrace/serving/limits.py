"""How much a client may send: bytes of one body, bytes of all bodies at a time, seconds to send it in."""

from __future__ import annotations

import asyncio

from headrace.serving.exchange import ClientGone, Exchange, Refused

BODY_SECONDS = 30.0  # to send a body in; a client that is slower holds a connection for nothing
BODIES_AT_A_TIME = 4  # of the largest size, over all connections


class BodyReader:
    """Reads bodies as they come, and stops at the first byte too many.

    What all requests under way hold together is bounded as well: many clients that each send an
    allowed body must not use up the memory. Used from the event loop only.
    """

    def __init__(self, max_bytes: int, seconds: float = BODY_SECONDS) -> None:
        self.max_bytes = max_bytes
        self.all_bytes = BODIES_AT_A_TIME * max_bytes
        self.seconds = seconds
        self.held = 0

    async def read(self, exchange: Exchange) -> bytes:
        """Return the body. It counts as held until `release`.

        Raises `Refused` (413, 429, 408) and `ClientGone`.
        """
        self._check_declared(exchange)
        try:
            async with asyncio.timeout(self.seconds):
                return await self._read(exchange)
        except TimeoutError:
            told = f"the body did not arrive within {self.seconds:g} s"
            raise Refused(408, told, "slow_body", headers=((b"connection", b"close"),)) from None

    def release(self, exchange: Exchange) -> None:
        """Forget what a request held."""
        self.held -= exchange.held
        exchange.held = 0

    async def _read(self, exchange: Exchange) -> bytes:
        message = await exchange.receive()
        body: bytes = self._take(exchange, message)
        if not message.get("more_body"):
            return body
        parts = [body]
        while message.get("more_body"):
            message = await exchange.receive()
            parts.append(self._take(exchange, message))
        return b"".join(parts)

    def _take(self, exchange: Exchange, message: object) -> bytes:
        assert isinstance(message, dict)
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        exchange.held += len(part)
        self.held += len(part)
        if exchange.held > self.max_bytes:
            raise self._too_large()
        if self.held > self.all_bytes:
            told = "the service holds as many bytes of requests as it takes; try again"
            raise Refused(429, told, "overloaded", headers=((b"retry-after", b"1"),))
        return part

    def _check_declared(self, exchange: Exchange) -> None:
        declared = exchange.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self.max_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        told = f"the body has more than {self.max_bytes} bytes; send the rows in several requests"
        return Refused(413, told, "too_large", {"max_bytes": self.max_bytes})
