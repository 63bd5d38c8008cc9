"""Tests of hostile clients, on a real socket: each gets an answer, and none makes the service grow."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from headrace.serving import bounded_http
from headrace.serving.front import Front
from headrace.serving.limits import BodyReader
from tests.serving.conftest import Service, listening
from tests.serving.small_model import ROW

LIMIT = 100_000
BODY = json.dumps({"records": [ROW]}).encode()
HEAD = b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"


def talk(port: int, *parts: bytes, stay: bool = True) -> bytes:
    """Send bytes as they are, and return what comes back in a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        try:
            for part in parts:
                line.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        if not stay:
            return b""
        found = b""
        try:
            while b"\r\n\r\n" not in found and (part := line.recv(65536)):
                found += part
        except ConnectionResetError:
            pass
        return found


def sized(body: bytes, length: int | None = None) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n" % (len(body) if length is None else length) + body


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(max_body_bytes=LIMIT)


@pytest.fixture(scope="module")
def port(service: Service) -> Iterator[int]:
    with listening(service.app) as port:
        yield port


def test_a_large_body_is_413_however_it_is_sent(port: int) -> None:
    """Too many bytes are refused by their declared length, and while they stream without one."""
    assert b" 413 " in talk(port, sized(b"", LIMIT + 1))
    assert b" 413 " in talk(port, sized(b"x" * (LIMIT + 1)))
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert b" 413 " in talk(port, HEAD + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 5)
    assert b" 200 " in talk(port, sized(BODY))


def test_a_length_that_lies_hurts_nobody(port: int) -> None:
    """A body shorter or longer than its declared length breaks its own connection at most."""
    assert b" 200 " not in talk(port, sized(BODY, len(BODY) - 1))
    talk(port, sized(BODY, len(BODY) + 1), stay=False)
    assert b" 400 " in talk(port, HEAD + b"content-length: -5\r\n\r\n" + BODY)
    assert b" 400 " in talk(port, HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n" + BODY)
    assert b" 200 " in talk(port, sized(BODY))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"content-type: text/csv\r\n", 415),
        (b"", 415),
        (b"content-type: application/json\r\ncontent-encoding: gzip\r\n", 415),
        (b"content-type: application/json; charset=utf-8\r\n", 200),
        (b"content-type: APPLICATION/JSON\r\n", 200),
        (b"content-type: application/vnd.apache.arrow.stream\r\n", 422),
    ],
)
def test_only_known_types_are_read(port: int, headers: bytes, status: int) -> None:
    """A body of another type, of none or in a packed form is refused before it is read."""
    asked = (
        b"POST /predict HTTP/1.1\r\nhost: here\r\n"
        + headers
        + b"content-length: %d\r\n\r\n" % len(BODY)
        + BODY
    )
    assert b" %d " % status in talk(port, asked)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" * 50_000,
        b'{"records": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"records": [' + b"1," * 20_000 + b"1]}",
        b'{"records": [{"length": NaN, "age": 1e400, "colour": "\\ud800"}]}',
        b'{"records": [{"length": 1' + b"0" * 5000 + b', "age": 3, "colour": "red"}]}',
        b'{"records": [], "records": [' + json.dumps(ROW).encode() + b"]}" + b"\x00" * 100,
        b'{"columns": {"length": [1], "age": [2, 3], "colour": ["red"]}}',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_request_is_422(port: int, body: bytes) -> None:
    """JSON that is broken, deep, huge in a number or not JSON at all is refused, and the service lives."""
    assert b" 422 " in talk(port, sized(body))
    assert b" 200 " in talk(port, sized(BODY))


def test_a_flood_is_429_with_a_time_to_come_again() -> None:
    """While the model is stuck, requests beyond the queue are told at once; those in it are answered."""
    service = Service(max_waiting=4)
    service.model.go.clear()

    async def main() -> list[int]:
        async with service.client() as client:
            asked = [asyncio.create_task(client.post("/predict", json={"records": [ROW]})) for _ in range(20)]
            done: list[int] = []
            while len(done) < 15:
                await asyncio.sleep(0.01)
                done = [one.result().status_code for one in asked if one.done()]
            refused = next(one.result() for one in asked if one.done())
            assert refused.headers["retry-after"] == "1"
            service.model.go.set()
            return sorted(answer.status_code for answer in await asyncio.gather(*asked))

    statuses = asyncio.run(main())
    assert set(statuses) == {200, 429}
    assert 'headrace_rejections_total{reason="overloaded"}' in service.metrics.text().decode()


def test_a_client_that_leaves_frees_its_place() -> None:
    """A request whose client is gone while it waits is left out, and holds no bytes."""
    service = Service()
    service.model.go.clear()
    with listening(service.app) as port:
        talk(port, sized(BODY), stay=False)
        leaving = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for line in leaving:
            line.sendall(sized(BODY))
        deadline = threading.Event()
        deadline.wait(0.3)
        for line in leaving:
            line.close()
        deadline.wait(0.3)
        service.model.go.set()
        assert b" 200 " in talk(port, sized(BODY))
    assert sum(service.model.calls) < 5
    assert '"status":499' in service.lines.getvalue()
    assert reader_of(service).held == 0


def test_a_slow_body_is_408() -> None:
    """A client that does not finish its body is told to go."""
    service = Service()
    reader_of(service).seconds = 0.05
    with listening(service.app) as port:
        assert b" 408 " in talk(port, sized(b"{", 100))


def test_a_head_has_a_largest_size(port: int) -> None:
    """A head that never ends, in one header or in many, is cut off."""
    for endless in (b"x-long: " + b"a" * 200_000, b"x: y\r\n" * 40_000, b"a" * 200_000):
        assert b" 400 " in talk(port, HEAD, endless)
    assert b" 200 " in talk(port, sized(BODY))


def test_a_slow_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that sends no request, or half of one, is closed."""
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.05)
    with listening(Service().app) as port:
        assert talk(port) == b""
        assert talk(port, b"GET /health/li") == b""
        assert talk(port, b"GET /health/live HTTP/1.1\r\nhost: h\r\n") == b""


def test_all_bodies_together_are_bounded() -> None:
    """Many clients that each send an allowed body hold no more than a few of them at a time."""
    service = Service(max_body_bytes=1000)
    reader = reader_of(service)
    held = reader.all_bytes
    reader.held = held
    answer = service.ask("POST", "/predict", json={"records": [ROW]})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert reader.held == held


def test_nothing_of_a_refused_request_stays(service: Service, port: int) -> None:
    """After a thousand bad requests there are as many objects as before: none is kept anywhere."""
    bad = [
        sized(b"null"),
        sized(b"x" * 50_000),
        sized(b"", LIMIT + 1),
        b"GET /x%d HTTP/1.1\r\nhost: h\r\n\r\n",
    ]

    def ask_all(times: int) -> int:
        for at in range(times):
            talk(port, bad[at % 4].replace(b"%d", b"%d" % at))
        service.lines.seek(0)
        service.lines.truncate()
        gc.collect()
        return len(gc.get_objects())

    before = ask_all(100)
    assert ask_all(1000) < before + 500
    assert reader_of(service).held == 0


def reader_of(service: Service) -> BodyReader:
    """Return what reads the bodies of a service."""
    front = next(one for one in service.app.user_middleware if one.cls is Front)
    reader = front.kwargs["bodies"]
    assert isinstance(reader, BodyReader)
    return reader
