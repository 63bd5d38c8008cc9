"""Which part of the stand-in answers a request, after the key is checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from headrace.testing.wandb import file_stream
from headrace.testing.wandb.answer import Answer, refusal_answer
from headrace.testing.wandb.execute import answer_query, operation_name, read_request
from headrace.testing.wandb.fields import Context
from headrace.testing.wandb.refusal import Refusal, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request whose body was read and decompressed; `path` is without its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parts(self) -> list[str]:
        return [unquote(part) for part in self.path.split("/")[1:]]

    @property
    def operation(self) -> str:
        """The name of what is asked: of a GraphQL operation or a route."""
        match (self.method, *self.parts):
            case ("POST", "graphql"):
                try:
                    return operation_name(read_request(self.body))
                except Violation:
                    return "graphql"
            case ("POST", "files", _, _, _, "file_stream"):
                return "file_stream"
            case ("PUT", "storage", _, _):
                return "upload"
            case ("GET", "storage", _, _):
                return "download"
        return f"{self.method} {self.path}"


class Router:
    """Answers requests; what no correct client sends is refused and handed to `complain`."""

    def __init__(self, context: Context, key: str, complain: Callable[[str], None]) -> None:
        self._context = context
        self._login = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        self._complain = complain

    def answer(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except Violation as violation:
            self._complain(f"{request.operation}: {violation.message}")
            return refusal_answer(violation)
        except Refusal as refusal:
            return refusal_answer(refusal)

    def _answer(self, request: Request) -> Answer:
        match (request.method, *request.parts):
            case ("PUT", "storage", token, _):
                self._context.storage.put(token, request.body, request.headers)
                return Answer(status=200)
            case ("GET", "storage", token, _):
                return Answer(status=200, body=self._context.storage.get(token))
            case ("POST", "graphql"):
                self._check_login(request)
                return answer_query(read_request(request.body), self._context, self._complain)
            case ("POST", "files", entity, project, run, "file_stream"):
                self._check_login(request)
                with self._context.store.lock:
                    found = self._context.store.find_run(entity, project, run)
                    return file_stream.take(found, _decode(request.body))
        raise Violation(404, "no such route")

    def _check_login(self, request: Request) -> None:
        if request.headers.get("Authorization") != self._login:
            raise Refusal(401, "user is not logged in")


def _decode(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Violation(400, f"the file stream is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Violation(400, "the file stream is no JSON object")
    return found
