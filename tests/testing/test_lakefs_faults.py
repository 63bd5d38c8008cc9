"""Faults that the stand-in makes on request."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any

import pytest

from headrace.testing.lakefs import Fault, StandInServer

CLOSED = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    BrokenPipeError,
    http.client.CannotSendRequest,
)


def test_status_instead_of_doing_it(server: StandInServer, api: Any) -> None:
    """A status is answered in place of the deed, with its message and Retry-After, and then no more."""
    server.fail_next(Fault("status", "commit", times=2))
    server.fail_next(Fault("status", "commit", status=429, message="slow down", retry_after=7))
    head = api.head("main")
    for _ in range(2):
        locked = api.commit("main", allow_empty=True)
        assert (locked.status, locked.message) == (500, "branch is currently locked, try again later")
    throttled = api.commit("main", allow_empty=True)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "7")
    assert api.head("main") == head
    assert api.commit("main", allow_empty=True).status == 201


def test_status_after_doing_it(server: StandInServer, api: Any) -> None:
    """The ambiguous case: it is done, and the answer says that it failed."""
    head = api.head("main")
    server.fail_next(Fault("status_after", "commit", status=503, message="later"))
    assert api.commit("main", allow_empty=True).status == 503
    assert api("GET", "/repositories/repo/commits/main~1").json["id"] == head


@pytest.mark.parametrize(("kind", "commits"), [("drop_before", 1), ("drop_after", 2)])
def test_dropped_connections(server: StandInServer, api: Any, kind: Any, commits: int) -> None:
    """A connection is closed without an answer, before or after the deed."""
    server.fail_next(Fault(kind, "commit"))
    with pytest.raises(CLOSED):
        api.commit("main", allow_empty=True)
    api.connection.close()
    assert len(api("GET", "/repositories/repo/refs/main/commits").results) == commits
    assert [log.status for log in server.requests if log.operation_id == "commit"] == [0]


def test_dropped_upload(server: StandInServer, api: Any) -> None:
    """An upload that breaks off in the middle leaves nothing."""
    server.fail_next(Fault("drop_mid_upload", "uploadObject"))
    with pytest.raises(CLOSED):
        api.put("main", "x", b"1" * 20_000_000)
    api.connection.close()
    assert api.paths("main") == []


def test_client_that_goes_away(server: StandInServer, api: Any) -> None:
    """A client that promises more than it sends has uploaded nothing."""
    target = "/api/v1/repositories/repo/branches/main/objects?path=x"
    headers = {**api.login, "Content-Type": "application/octet-stream", "Content-Length": "100"}
    api.connection.request("POST", target, body=b"half", headers=headers)
    api.connection.sock.shutdown(socket.SHUT_WR)
    assert api.connection.sock.recv(1) == b""  # closed from the other side, without an answer
    api.connection.close()
    assert server.requests[-1].status == 0
    assert api.paths("main") == []


def test_truncated_download(server: StandInServer, api: Any) -> None:
    """A download promises its whole length and ends half-way."""
    api.put("main", "x", b"0123456789")
    server.fail_next(Fault("truncate", "getObject"))
    with pytest.raises(http.client.IncompleteRead) as cut:
        api.get("main", "x")
    api.connection.close()
    assert cut.value.partial == b"01234"
    assert api.get("main", "x").body == b"0123456789"


def test_corrupt_download(server: StandInServer, api: Any) -> None:
    """A download has the right length and ETag, and one wrong byte."""
    api.put("main", "x", bytes(1_000_000))
    server.fail_next(Fault("corrupt", "getObject"))
    found = api.get("main", "x")
    assert (found.status, len(found.body)) == (200, 1_000_000)
    assert sum(byte != 0 for byte in found.body) == 1
    assert api.get("main", "x").body == bytes(1_000_000)


def test_faults_of_the_storage(server: StandInServer, api: Any) -> None:
    """Presigned URLs fail apart from the API: expired, gone, cut short."""
    api.put("main", "x", b"0123456789")
    stat = api("GET", "/repositories/repo/refs/main/objects/stat", path_="x", presign="true").json
    server.fail_next(Fault("expired", "storage_get"))
    server.fail_next(Fault("gone", "storage_get"))
    server.fail_next(Fault("truncate", "storage_get"))
    late = api.send("GET", stat["physical_address"])
    assert (late.status, b"Request has expired" in late.body) == (403, True)
    assert api.send("GET", stat["physical_address"]).status == 410
    with pytest.raises(http.client.IncompleteRead):
        api.send("GET", stat["physical_address"])
    api.connection.close()
    assert api.send("GET", stat["physical_address"]).body == b"0123456789"


def test_latency_holds_no_lock(server: StandInServer, talk: Any) -> None:
    """A slow request does not keep others waiting, and is itself answered in the end."""
    server.fail_next(Fault("latency", "getBranch", seconds=0.5))
    slow, quick = talk(server), talk(server)
    began = time.monotonic()
    took: list[float] = []
    thread = threading.Thread(target=lambda: (slow.head("main"), took.append(time.monotonic() - began)))
    thread.start()
    assert quick.commit("main", allow_empty=True).status == 201
    assert not took
    thread.join()
    assert took[0] >= 0.5


def test_latency_and_another_fault(server: StandInServer, api: Any) -> None:
    """A request can be slow and then fail."""
    server.fail_next(Fault("latency", "getBranch", seconds=0.05))
    server.fail_next(Fault("status", "getBranch", status=503))
    began = time.monotonic()
    assert api("GET", "/repositories/repo/branches/main").status == 503
    assert time.monotonic() - began >= 0.05


def test_fault_for_any_operation(server: StandInServer, api: Any) -> None:
    """Without an operation a fault befalls whatever comes next."""
    server.fail_next(Fault("status", status=503))
    assert api("GET", "/config").status == 503
    assert api("GET", "/config").status == 200


def test_unknown_fault() -> None:
    """A fault that does not exist is refused where it is made."""
    with pytest.raises(ValueError, match="no such kind of fault: 'explode'"):
        Fault("explode")  # type: ignore[arg-type]
