"""A stand-in server, and a plain way to talk HTTP to it."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from headrace.testing.lakefs import StandInServer, find_spec


@dataclass
class Reply:
    """An answer; `headers` are case-insensitive."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["message"]

    @property
    def results(self) -> list[dict[str, Any]]:
        return self.json["results"]


class RawApi:
    """Sends requests over one kept connection, without any client library between."""

    def __init__(self, server: StandInServer) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=20)
        keys = f"{server.access_key_id}:{server.secret_access_key}"
        self.login = {"Authorization": "Basic " + base64.b64encode(keys.encode()).decode()}

    def send(
        self, method: str, target: str, data: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send to any path or URL of the server, with these headers only."""
        url = urlsplit(target)
        self.connection.request(method, f"{url.path}?{url.query}", body=data, headers=dict(headers or {}))
        answer = self.connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """Call the API, logged in; `body` is sent as JSON, `path_` in the query is `path`."""
        sent = {**self.login, **(headers or {})}
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        pairs = {name.rstrip("_"): value for name, value in query.items()}
        target = f"/api/v1{path}?{urlencode(pairs, doseq=True)}"
        return self.send(method, target, data, sent)

    # --- the same again and again -----------------------------------------------------------------

    def put(self, branch: str, path: str, data: bytes, **headers: str) -> Reply:
        octets = {"Content-Type": "application/octet-stream"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        target = f"/repositories/repo/branches/{branch}/objects"
        return self("POST", target, data=data, headers={**octets, **named}, path_=path)

    def get(self, ref: str, path: str, **headers: str) -> Reply:
        return self("GET", f"/repositories/repo/refs/{ref}/objects", headers=headers, path_=path)

    def commit(self, branch: str, files: Mapping[str, bytes | None] | None = None, **fields: Any) -> Reply:
        """Stage files (None deletes one), then commit."""
        for path, data in (files or {}).items():
            if data is None:
                self("DELETE", f"/repositories/repo/branches/{branch}/objects", path_=path)
            else:
                assert self.put(branch, path, data).status == 201
        body = {"message": "a commit", **fields}
        return self("POST", f"/repositories/repo/branches/{branch}/commits", body)

    def branch(self, name: str, source: str = "main") -> Reply:
        return self("POST", "/repositories/repo/branches", {"name": name, "source": source})

    def head(self, branch: str) -> str:
        return self("GET", f"/repositories/repo/branches/{branch}").json["commit_id"]

    def merge(self, source: str, dest: str, **fields: Any) -> Reply:
        return self("POST", f"/repositories/repo/refs/{source}/merge/{dest}", fields)

    def paths(self, ref: str, **query: Any) -> list[str]:
        found = self("GET", f"/repositories/repo/refs/{ref}/objects/ls", **query)
        return [result["path"] for result in found.results]

    def changes(self, left: str, right: str, kind: str = "two_dot", **query: Any) -> list[tuple[str, str]]:
        found = self("GET", f"/repositories/repo/refs/{left}/diff/{right}", type_=kind, **query)
        return [(result["path"], result["type"]) for result in found.results]


@pytest.fixture
def server() -> Iterator[StandInServer]:
    """A server with the repository `repo`; whatever breaks lakeFS's description fails the test."""
    with StandInServer(spec=find_spec(), min_part_bytes=10) as running:
        running.create_repository("repo")
        yield running
        assert running.violations == []


@pytest.fixture
def lax() -> Iterator[StandInServer]:
    """The same for tests that send what no correct client sends."""
    with StandInServer(spec=find_spec()) as running:
        running.create_repository("repo")
        yield running


@pytest.fixture
def talk() -> Iterator[Callable[[StandInServer], RawApi]]:
    """Opens a connection to any server; all are closed in the end."""
    opened: list[RawApi] = []

    def open_one(running: StandInServer) -> RawApi:
        opened.append(RawApi(running))
        return opened[-1]

    yield open_one
    for raw in opened:
        raw.connection.close()


@pytest.fixture
def api(server: StandInServer, talk: Callable[[StandInServer], RawApi]) -> RawApi:
    return talk(server)


@pytest.fixture
def lax_api(lax: StandInServer, talk: Callable[[StandInServer], RawApi]) -> RawApi:
    return talk(lax)
