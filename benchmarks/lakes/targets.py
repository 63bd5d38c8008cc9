"""The lakes that are measured: embedded, lakeFS's stand-in, and a live lakeFS server."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.core.ports import LakeStore
from headrace.testing.lakefs.server import ACCESS_KEY_ID, SECRET_ACCESS_KEY

LIVE = "HEADRACE_TEST_LAKEFS_"
KEY_VARIABLES = ("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A lake, and how to open it here and in another process. The keys are in `keys` alone."""

    name: str
    arguments: Mapping[str, Any]
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    is_stand_in: bool = False

    @property
    def is_server(self) -> bool:
        return bool(self.keys)

    def open(self, **changes: Any) -> LakeStore:
        os.environ.update(self.keys)
        return open_store({**self.arguments, **changes})


def open_store(arguments: Mapping[str, Any]) -> LakeStore:
    """Open a lake by its arguments; a server's keys are in the environment."""
    if "root" in arguments:
        return EmbeddedLake(Path(arguments["root"]))
    return LakeFSStore(**arguments)


def embedded(folder: Path) -> Target:
    return Target(name="the embedded lake", arguments={"root": str(folder / "embedded")})


@contextmanager
def stand_in(folder: Path, upload_latency_seconds: float | None = None) -> Iterator[Target]:
    """Start a stand-in in a process of its own, with an empty repository."""
    command = [sys.executable, str(Path(__file__).with_name("stand_in.py")), str(folder / "server")]
    if upload_latency_seconds is not None:
        command.append(str(upload_latency_seconds))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            endpoint = process.stdout.readline().strip()
            keys = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
            target = _lakefs("LakeFSStore on the stand-in", endpoint, keys, folder, is_stand_in=True)
            target.open().init()
            yield target
        finally:
            process.stdin.close()


@contextmanager
def live(folder: Path) -> Iterator[Target | None]:
    """Give the server that the environment names, with a repository of its own; None without one."""
    endpoint = os.environ.get(f"{LIVE}ENDPOINT")
    if not endpoint:
        yield None
        return
    keys = (os.environ[f"{LIVE}ACCESS_KEY_ID"], os.environ[f"{LIVE}SECRET_ACCESS_KEY"])
    target = _lakefs(f"LakeFSStore on {endpoint}", endpoint, keys, folder)
    place = os.environ.get(f"{LIVE}NAMESPACE")
    namespace = f"{place.rstrip('/')}/{target.arguments['repository']}" if place else None
    target.open(storage_namespace=namespace).init()
    try:
        yield target
    finally:
        from lakes.bare_http import BareServer

        BareServer(target).delete_repository()


def _lakefs(
    name: str, endpoint: str, keys: tuple[str, str], folder: Path, is_stand_in: bool = False
) -> Target:
    arguments = {
        "endpoint": endpoint,
        "repository": f"bench-{secrets.token_hex(4)}",
        "cache_dir": str(folder / "cache"),
        "allow_plain_http": True,
    }
    named = dict(zip(KEY_VARIABLES, keys, strict=True))
    return Target(name=name, arguments=arguments, keys=named, is_stand_in=is_stand_in)
