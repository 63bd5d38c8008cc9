"""The table of routes: which requests the stand-in serves, and what each may carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from headrace.testing.lakefs.answer import Answer
from headrace.testing.lakefs.refusal import Violation

if TYPE_CHECKING:
    from headrace.testing.lakefs.lake import Lake
    from headrace.testing.lakefs.repository import Repository

API_PREFIX = "/api/v1"
MAX_PER_PAGE = 1000
Fields = Mapping[str, type]

PAGE: Fields = {"after": str, "amount": int}
PREFIX_PAGE: Fields = {"prefix": str, **PAGE}
TREE_PAGE: Fields = {"delimiter": str, **PREFIX_PAGE}


@dataclass(kw_only=True)
class Call:
    """One request as a route sees it; `blocks` is its body where the route takes bytes."""

    lake: Lake
    base_url: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Message[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    blocks: Iterator[bytes] = field(default_factory=lambda: iter(()))

    @property
    def repository(self) -> Repository:
        return self.lake.repository(self.path["repository"])

    @property
    def amount(self) -> int:
        """How many results a page has; without one asked for, as many as a page may have."""
        asked: int = self.query.get("amount", 100)
        return MAX_PER_PAGE if asked <= 0 else asked


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of the API. `bytes_body` marks an upload, whose body is no JSON."""

    method: str
    segments: tuple[str, ...]
    operation: str
    handler: Handler
    query: Fields
    needs: tuple[str, ...]
    required: Fields
    optional: Fields
    bytes_body: bool
    login: bool


ROUTES: list[Route] = []


def route(
    method: str,
    path: str,
    operation: str,
    *,
    query: Fields | None = None,
    needs: tuple[str, ...] = (),
    required: Fields | None = None,
    optional: Fields | None = None,
    bytes_body: bool = False,
    login: bool = True,
) -> Callable[[Handler], Handler]:
    """Serve an operation with the function below; `needs` names the query parameters it must have."""

    def add(handler: Handler) -> Handler:
        ROUTES.append(
            Route(
                method=method,
                segments=tuple(path.strip("/").split("/")),
                operation=operation,
                handler=handler,
                query=query or {},
                needs=needs,
                required=required or {},
                optional=optional or {},
                bytes_body=bytes_body,
                login=login,
            )
        )
        return handler

    return add


def find_route(method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and the values in its path; None where there is none."""
    parts = raw_path.removeprefix(API_PREFIX).strip("/").split("/")
    for candidate in ROUTES:
        if candidate.method != method or len(candidate.segments) != len(parts):
            continue
        values = {}
        for segment, part in zip(candidate.segments, parts, strict=True):
            if segment.startswith("{"):
                values[segment[1:-1]] = unquote(part)
            elif segment != part:
                break
        else:
            return candidate, values
    return None


def read_query(found: Route, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Turn query parameters into values. Raises `Violation` for one that the operation has not."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name not in found.query:
            raise Violation(f"{found.operation} has no query parameter {name!r}")
        value = _read_value(f"query parameter {name}", text, found.query[name])
        values[name] = [*values.get(name, []), text] if found.query[name] is list else value
    for name in found.needs:
        if name not in values:
            raise Violation(f"{found.operation} needs the query parameter {name!r}")
    if not -1 <= values.get("amount", 0) <= MAX_PER_PAGE:
        raise Violation(f"query parameter amount: {values['amount']} is not from -1 to {MAX_PER_PAGE}")
    return values


def check_body(found: Route, body: Any) -> dict[str, Any]:
    """Check a JSON body against the fields of the operation. Raises `Violation`."""
    if not isinstance(body, dict):
        raise Violation(f"{found.operation}: the body is {type(body).__name__}, not an object")
    known = {**found.required, **found.optional}
    for name, value in body.items():
        if name not in known:
            raise Violation(f"{found.operation} has no field {name!r}")
        if type(value) is not known[name]:
            raise Violation(
                f"{found.operation}: {name} is {type(value).__name__}, not {known[name].__name__}"
            )
        if isinstance(value, dict) and name in ("metadata", "user_metadata", "set"):
            _check_texts(found.operation, name, value)
    for name in found.required:
        if name not in body:
            raise Violation(f"{found.operation} needs the field {name!r}")
    return body


def _check_texts(operation: str, name: str, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if not isinstance(value, str):
            raise Violation(f"{operation}: {name}.{key} is {type(value).__name__}, not str")


def _read_value(where: str, text: str, kind: type) -> Any:
    if kind is bool:
        # The clients' generators write booleans in Python's or in JSON's way; Go reads both.
        if text.lower() not in ("true", "false"):
            raise Violation(f"{where}: {text!r} is not a boolean")
        return text.lower() == "true"
    if kind is int:
        if not text.removeprefix("-").isdecimal():
            raise Violation(f"{where}: {text!r} is not an integer")
        return int(text)
    return text
