"""The stand-in's memory and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from headrace.testing.lakefs import StandInServer

MEGABYTE = 1 << 20
SIZE = 200 * MEGABYTE

# Not `ru_maxrss`: a process inherits that from the one that started it.
SERVE = """
import sys, tracemalloc
from headrace.testing.lakefs import StandInServer
with StandInServer() as server:
    server.create_repository("repo")
    tracemalloc.start()
    print(server.endpoint, flush=True)
    sys.stdin.readline()
    print(tracemalloc.get_traced_memory()[1], flush=True)
"""


def test_large_bodies_stay_out_of_memory(talk: Any) -> None:
    """200 MB up, plain and as a form, and down again cost the server's process 8 MB at the most."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        elsewhere = StandInServer()  # never started: it only lends its keys, which are the same for all
        elsewhere.endpoint = process.stdout.readline().strip()
        api = talk(elsewhere)
        block = bytes(MEGABYTE)
        assert api.put("main", "plain", (block for _ in range(200))).status == 201
        assert api("POST", OBJECTS, data=form(block), headers=FORM, path_="form").status == 201
        assert count(api, "plain") == count(api, "form") == SIZE
        process.stdin.write("\n")
        process.stdin.flush()
        peak = int(process.stdout.readline())
    assert peak < 8 * MEGABYTE


OBJECTS = "/repositories/repo/branches/main/objects"
FORM = {"Content-Type": "multipart/form-data; boundary=limit"}


def form(block: bytes) -> Any:
    yield b'--limit\r\nContent-Disposition: form-data; name="content"\r\n\r\n'
    for _ in range(200):
        yield block
    yield b"\r\n--limit--\r\n"


def count(api: Any, path: str) -> int:
    """Read an object in blocks and return its length."""
    target = f"/api/v1/repositories/repo/refs/main/objects?path={path}"
    api.connection.request("GET", target, headers=api.login)
    answer = api.connection.getresponse()
    total = 0
    while block := answer.read(MEGABYTE):
        total += len(block)
    return total


def test_folder_is_kept_or_removed(tmp_path: Path, talk: Any) -> None:
    """Bodies lie in the folder given, or in a temporary one that is gone afterwards."""
    with StandInServer(tmp_path / "bodies") as server:
        server.create_repository("repo")
        talk(server).put("main", "x", b"hello")
    assert [path.read_bytes() for path in (tmp_path / "bodies").iterdir()] == [b"hello"]
    with StandInServer() as server:
        server.create_repository("repo")
        talk(server).put("main", "x", b"hello")
        body = server.body_path("repo", "main", "x")
        assert body.exists()
    assert not body.parent.exists()
