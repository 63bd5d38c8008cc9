"""The baseline for a lake on a server: the same bytes by plain requests, with no check and no lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from lakes.targets import KEY_VARIABLES, Target

BLOCK = 1 << 20


class BareServer:
    """Sends and fetches objects of a repository through one connection that stays open."""

    def __init__(self, target: Target) -> None:
        host = target.arguments["endpoint"].rstrip("/").removesuffix("/api/v1")
        self._pool = urllib3.connection_from_url(host, retries=False)
        self._repository = f"{urlsplit(host).path}/api/v1/repositories/{target.arguments['repository']}"
        keys = ":".join(target.keys[name] for name in KEY_VARIABLES)
        self._headers = urllib3.make_headers(basic_auth=keys)

    def put(self, path: str, body: bytes | Path) -> None:
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        sent = body if isinstance(body, bytes) else _blocks(body)
        self._ask("POST", f"/branches/main/objects?path={path}", body=sent, headers=headers).read()

    def get(self, path: str, into: Path) -> None:
        answer = self._ask("GET", f"/refs/main/objects?path={path}")
        with into.open("wb") as file:
            file.writelines(answer.stream(BLOCK, decode_content=False))
        answer.release_conn()

    def delete_repository(self) -> None:
        self._ask("DELETE", "?force=true").read()

    def _ask(self, method: str, route: str, headers: dict[str, str] | None = None, body: Any = None) -> Any:
        answer = self._pool.urlopen(
            method,
            f"{self._repository}{route}",
            body=body,
            headers={**self._headers, **(headers or {})},
            preload_content=False,
        )
        if answer.status >= 300:
            raise RuntimeError(f"{method} {route}: {answer.status} {answer.read()[:200]!r}")
        return answer


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while block := source.read(BLOCK):
            yield block
