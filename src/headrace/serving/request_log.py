"""One line of JSON on stderr for each request, and for whatever else the service says of itself."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

from pydantic_core import to_json

from headrace.serving.exchange import Exchange

WATCHED = ("/health/live", "/health/ready", "/metrics")


class RequestLog:
    """Writes who asked what, and how it came out. Never a body, a header or a parameter: these are private.

    Levels are `info`, `warning` (refused) and `error` (failed here); `quiet` leaves out what went well. So
    are looks at health and figures that went well: who watches asks every few seconds.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet

    def write(self, exchange: Exchange) -> None:
        """Write one request that is answered."""
        level = "error" if exchange.status >= 500 else "warning" if exchange.status >= 400 else "info"
        if level == "info" and (self._quiet or exchange.route.endswith(WATCHED)):
            return
        line: dict[str, Any] = {
            "time": round(time.time(), 3),
            "level": level,
            "request_id": exchange.id,
            "method": exchange.scope["method"],
            "path": exchange.scope["path"][:200],
            "status": exchange.status,
            "seconds": round(exchange.seconds, 6),
        }
        if exchange.model:
            line |= {"model": exchange.model, "version": exchange.version, "rows": exchange.rows}
        if exchange.trouble:
            line["trouble"] = exchange.trouble
        (self._stream or sys.stderr).write(_as_line(line) + "\n")


class LogLines(logging.Formatter):
    """Says what is logged in the form of a request's line, so that one reader takes the whole stream."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": round(record.created, 3), "level": record.levelname.lower()}
        line |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["trouble"] = self.formatException(record.exc_info)[-4000:]
        return _as_line(line)


def _as_line(said: dict[str, Any]) -> str:
    # A path may hold what is no text (a lone surrogate): it is replaced, not raised.
    return to_json(said, inf_nan_mode="null", serialize_unknown=True).decode()
