"""From a request to its answer: login, checks, the route, and what it refuses."""

from __future__ import annotations

import base64
import hmac
import json
import traceback
from collections.abc import Callable
from typing import Any

import headrace.testing.lakefs.routes_commits
import headrace.testing.lakefs.routes_objects
import headrace.testing.lakefs.routes_repositories
import headrace.testing.lakefs.routes_staging  # noqa: F401 - importing them fills the table
from headrace.testing.lakefs.answer import JSON, Answer, refusal_answer, xml_error
from headrace.testing.lakefs.lake import Lake
from headrace.testing.lakefs.presign import STORAGE_PREFIX, StorageRefusal
from headrace.testing.lakefs.refusal import Refusal, Violation
from headrace.testing.lakefs.request import BodyCut, Request
from headrace.testing.lakefs.routing import Call, Route, check_body, find_route, read_query
from headrace.testing.lakefs.spec import Specification
from headrace.testing.lakefs.storage import serve_storage

MAX_JSON_BYTES = 1 << 25
UPLOAD_TYPES = ("application/octet-stream", "multipart/form-data")


class Dispatcher:
    """Answers requests. `complain` is told of each violation."""

    def __init__(
        self,
        lake: Lake,
        keys: tuple[str, str],
        specification: Specification | None,
        complain: Callable[[str], None],
    ) -> None:
        self._lake = lake
        self._login = "Basic " + base64.b64encode(":".join(keys).encode()).decode()
        self._specification = specification
        self._complain = complain
        self.base_url = ""

    def operation(self, request: Request) -> str:
        """Name what a request asks for, by the swagger file's `operationId`; '' for no route."""
        if request.path.startswith(STORAGE_PREFIX):
            return f"storage_{request.method.lower()}"
        found = find_route(request.method, request.path)
        return found[0].operation if found else ""

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        where = f"{request.method} {request.path}"
        try:
            if request.path.startswith(STORAGE_PREFIX):
                return self._storage(request)
            answer = self._api(request)
        except StorageRefusal as refusal:
            return xml_error(refusal.status, refusal.code, refusal.message)
        except Violation as violation:
            self._complain(f"{where}: {violation.message}")
            return refusal_answer(violation)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except BodyCut:
            raise
        except Exception:
            self._complain(f"{where}: the stand-in itself failed:\n{traceback.format_exc()}")
            return refusal_answer(Refusal(500, "the stand-in itself failed; see its violations"))
        if self._specification:
            for problem in self._specification.response_problems(request, answer):
                self._complain(f"{where}: our answer {answer.status}: {problem}")
        return answer

    def _storage(self, request: Request) -> Answer:
        body_id = request.path.removeprefix(STORAGE_PREFIX)
        try:
            blocks = request.body.blocks()
            return serve_storage(
                self._lake, request.method, body_id, dict(request.pairs), request.headers, blocks
            )
        except StorageRefusal:
            raise
        except Refusal as refusal:
            raise StorageRefusal(refusal.status, "InvalidRange", refusal.message) from refusal

    def _api(self, request: Request) -> Answer:
        found = find_route(request.method, request.path)
        if found is None:
            raise Violation("the stand-in serves no such route")
        route, path = found
        sent = request.headers.get("Authorization", "")
        if route.login and not hmac.compare_digest(sent.encode(), self._login.encode()):
            raise Refusal(401, "error authenticating request")
        document = _read_document(route, request)
        if self._specification:
            problems = self._specification.request_problems(request, document)
            if problems:
                raise Violation("; ".join(problems))
        call = Call(
            lake=self._lake,
            base_url=self.base_url,
            path=path,
            query=read_query(route, request.pairs),
            headers=request.headers,
            body={} if route.bytes_body else check_body(route, {} if document is None else document),
            blocks=request.body.blocks(),
        )
        return route.handler(call)


def _read_document(route: Route, request: Request) -> Any:
    """Return the JSON of a request's body, None where it has none or is an upload."""
    if route.bytes_body:
        if request.content_type not in UPLOAD_TYPES:
            raise Violation(f"an upload is {' or '.join(UPLOAD_TYPES)}, not {request.content_type!r}")
        return None
    text = request.body.read(MAX_JSON_BYTES)
    if not text:
        return None
    if not route.required and not route.optional:
        raise Violation(f"{route.operation} takes no body")
    if request.content_type != JSON:
        raise Violation(f"{route.operation}: the body is {request.content_type!r}, not {JSON}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise Violation(f"{route.operation}: the body is not JSON: {error}") from error
