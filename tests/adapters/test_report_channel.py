"""Jobs of a sweep report interim scores over a socket."""

from __future__ import annotations

import json
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.adapters.report_channel import Reporter, ReportListener

Heard = list[tuple[int, int, float]]


@pytest.fixture
def heard() -> Heard:
    """What the sweep was asked."""
    return []


@pytest.fixture
def listener(heard: Heard) -> Iterator[ReportListener]:
    """A sweep that finds every score below zero hopeless."""

    def judge(trial: int, step: int, score: float) -> bool:
        heard.append((trial, step, score))
        return score < 0

    made = ReportListener(judge)
    yield made
    made.close()


def connect(listener: ReportListener) -> Connection:
    """Connect as somebody who knows the key."""
    address = listener.address()
    return Client((address["host"], address["port"]), "AF_INET", authkey=bytes.fromhex(address["key"]))


def test_each_score_is_answered(listener: ReportListener, heard: Heard) -> None:
    """Number, step and score arrive as they were given, and the verdict comes back."""
    reporter = Reporter(7, listener.address())
    assert [reporter(1, 0.5), reporter(2, -0.5), reporter(3, 1.0)] == [False, True, False]
    assert heard == [(7, 1, 0.5), (7, 2, -0.5), (7, 3, 1.0)]
    reporter.close()


def test_a_judge_that_errs_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """It stops no job, its error is logged, and what says no as NumPy does is understood."""

    def judge(trial: int, step: int, score: float) -> bool:
        if step == 1:
            raise ValueError("not at the first step")
        return np.float64(score) < 0  # type: ignore[return-value]

    listener = ReportListener(judge)
    reporter = Reporter(7, listener.address())
    assert [reporter(1, -0.5), reporter(2, -0.5), reporter(3, 1.0)] == [False, True, False]
    assert "not at the first step" in caplog.text
    reporter.close()
    listener.close()


def test_the_address_survives_json(listener: ReportListener) -> None:
    """A job gets it in its payload, which may go to another machine."""
    reporter = Reporter(0, json.loads(json.dumps(listener.address())))
    assert reporter(1, -1.0) is True
    reporter.close()


def test_several_jobs_at_once(listener: ReportListener, heard: Heard) -> None:
    """Each gets its own answers, however their reports fall together."""
    meet = threading.Barrier(8)

    def report(trial: int) -> list[bool]:
        reporter = Reporter(trial, listener.address())
        meet.wait()
        answers = [reporter(step, -1.0 if (step + trial) % 3 == 0 else 1.0) for step in range(30)]
        reporter.close()
        return answers

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(report, range(8)))
    assert found == [[(step + trial) % 3 == 0 for step in range(30)] for trial in range(8)]
    assert len(heard) == 240


def test_a_wrong_key_is_refused(listener: ReportListener, heard: Heard) -> None:
    """A job with another key is told nothing and goes on; the sweep hears nothing and goes on too."""
    address = listener.address()
    stranger = Reporter(0, address | {"key": "00" * 32})
    assert stranger(1, -1.0) is False
    with pytest.raises(AuthenticationError):
        Client((address["host"], address["port"]), "AF_INET", authkey=b"guess")
    assert heard == []
    reporter = Reporter(1, address)
    assert reporter(1, -1.0) is True
    reporter.close()


def test_a_silent_stranger_keeps_nobody_waiting(listener: ReportListener) -> None:
    """Whoever connects and says nothing, as a port scan does, is waited for beside the others."""
    address = listener.address()
    with socket.create_connection((address["host"], address["port"])):
        reporter = Reporter(1, address)
        assert reporter(1, -1.0) is True
        reporter.close()


def test_a_sweep_that_is_gone_stops_nobody(listener: ReportListener, heard: Heard) -> None:
    """One that has closed answers no new job, and all go on as if all were well."""
    address = listener.address()
    before = Reporter(0, address)
    assert before(1, -1.0) is True
    listener.close()
    after = Reporter(1, address)
    assert [after(1, -1.0), after(2, -1.0)] == [False, False]
    before(2, -1.0)  # may just be answered still
    assert before(3, -1.0) is False
    assert {trial for trial, _, _ in heard} == {0}


def serve(answer: Callable[[socket.socket], None]) -> dict[str, Any]:
    """Let another program sit at the port where a sweep was."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connected, _ = server.accept()
        with connected, server:
            answer(connected)

    threading.Thread(target=run, daemon=True).start()
    return {"host": "127.0.0.1", "port": server.getsockname()[1], "key": "00" * 32}


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x00\x00\x00\x04junk", b"\x7f\xff\xff\xff"],
    ids=["http", "nothing", "junk", "too long"],
)
def test_another_program_at_the_port_stops_nobody(said: bytes) -> None:
    """Whatever it says, the job goes on."""
    reporter = Reporter(0, serve(lambda connected: connected.sendall(said)))
    assert reporter(1, -1.0) is False


def test_a_sweep_that_does_not_answer_stops_nobody() -> None:
    """After some patience the job goes on, and asks no more."""
    over = threading.Event()
    reporter = Reporter(0, serve(lambda _: over.wait() and None), patience_seconds=0.05)
    assert [reporter(1, -1.0), reporter(2, -1.0)] == [False, False]
    over.set()


class Mark:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._file),)


def test_nothing_is_unpickled(listener: ReportListener, heard: Heard, tmp_path: Path) -> None:
    """A pickle sent with the right key closes the connection and executes nothing."""
    mark = tmp_path / "executed"
    with connect(listener) as connection:
        connection.send_bytes(pickle.dumps(Mark(mark)))
        with pytest.raises((EOFError, ConnectionResetError)):
            connection.recv_bytes()
    assert not mark.exists()
    assert heard == []
    pickle.loads(pickle.dumps(Mark(mark)))  # noqa: S301
    assert mark.exists()  # so the file would have been there


@pytest.mark.parametrize(
    "sent",
    [b"", b"[1]", b"null", b'["a", 1, 2]', b"[1, 1e999, 2]", b"[" * 4000, b"\xff", b"x" * 5000],
    ids=["empty", "short", "null", "text", "infinite", "deep", "no text", "long"],
)
def test_what_is_no_report_closes_the_connection(listener: ReportListener, heard: Heard, sent: bytes) -> None:
    """The sweep does not ask its search, and others go on to report."""
    with connect(listener) as connection:
        connection.send_bytes(sent)
        with pytest.raises((EOFError, ConnectionResetError)):
            connection.recv_bytes()
    assert heard == []
    reporter = Reporter(1, listener.address())
    assert reporter(1, -1.0) is True
    reporter.close()
