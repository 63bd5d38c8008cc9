"""Plain HTTP to the stand-in, for what the real client never sends."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from headrace.testing.wandb import WandbServer


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)["data"]

    @property
    def errors(self) -> list[str]:
        return [error["message"] for error in json.loads(self.body)["errors"]]


def send(
    server: WandbServer,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    key: str | None = None,
) -> Reply:
    """Send one request, with the server's own key unless another is given."""
    login = base64.b64encode(f"api:{server.key if key is None else key}".encode()).decode()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {"Authorization": f"Basic {login}", **(headers or {})})
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    finally:
        connection.close()


def ask(server: WandbServer, query: str, key: str | None = None, **variables: Any) -> Reply:
    """Ask a GraphQL query."""
    document = {"query": query, "variables": variables}
    return send(server, "POST", "/graphql", json.dumps(document).encode(), key=key)
