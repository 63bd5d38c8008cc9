"""The project's own Prefect server: started once, kept in the background, on loopback only.

Nothing here imports Prefect, so that a command can start the server first and then do its own slow
imports while the server does its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

from headrace.adapters.server_prefect.configured import configured_api_url
from headrace.adapters.server_prefect.process import POLL_SECONDS, end, is_running, process_start
from headrace.errors import HeadraceError

HOST = "127.0.0.1"
DATABASE = "prefect.db"
READY_SECONDS = 90.0  # 12 s is usual for the first start; a busy machine takes much longer
LOG_TAIL_LINES = 15

# The socket is bound by us and inherited: no other process can take the port in between, and a
# request that comes before the server is ready waits in its backlog. Collecting garbage while some
# thousand modules load finds nothing and takes a tenth of the time.
LAUNCHER = """
import gc, os, socket, sys
gc.disable()
os.setsid()  # Ctrl-C in the terminal is not meant for the server
os.chdir(sys.argv[2])  # away from the project's .env and prefect.toml
import uvicorn
from prefect.server.api.server import create_app
app = create_app(final=True)
gc.freeze(); gc.enable()
config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """`configured` is somebody else's server, of which only the address is known."""

    state: Literal["stopped", "starting", "running", "configured"]
    api_url: str | None = None
    ui_url: str | None = None
    pid: int | None = None
    log: Path | None = None


class ServerError(HeadraceError):
    """The local Prefect server did not start; the end of its log is in the message."""

    @classmethod
    def not_ready(cls, what: str, log: Path) -> ServerError:
        with suppress(OSError):
            lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            what += f"; the end of {log}:\n" + "\n".join(f"    {line}" for line in lines)
        return cls(
            f"the local Prefect server {what}\n  to try again: headrace server stop, then the same command; "
            "to do without: runtime=inline"
        )


class LocalServer:
    """The server of the project whose state is in `root`, unless the user configured another one.

    Safe for several processes at once: a file lock makes them start one server between them.
    The database outlives the server; a server that was killed, or whose machine was restarted, is
    found dead by its start time and replaced. It keeps running when the command ends.
    """

    def __init__(self, root: Path, *, ready_seconds: float = READY_SECONDS) -> None:
        self.root = Path(root).absolute()
        self.log = self.root / "server.log"
        self._state_file = self.root / "server.json"
        self._ready_seconds = ready_seconds
        self._ready_pid: int | None = None
        self._started_pid: int | None = None

    def begin(self) -> None:
        """Start the server where none is running, without waiting for it."""
        if configured_api_url() is not None:
            return
        with self._locked():
            if self._alive() is None:
                self._start()

    def url(self) -> str:
        """Return the API's address, once it answers; starts the server where that is still to do.

        Raises:
            ServerError: where it ends or is not ready in time.
        """
        if configured := configured_api_url():
            return configured
        for _ in range(3):
            before = self._started_pid
            self.begin()
            state = self._alive()
            if state is not None and (state["pid"] == self._ready_pid or self._wait(state)):
                self._ready_pid = state["pid"]
                return _api_url(state)
            if self._started_pid != before or (state and state["pid"] == self._started_pid):
                break  # a start of our own, and it ended
            # Somebody else's start, or a server that was just being killed: another try.
        raise ServerError.not_ready("ended before it was ready", self.log)

    def ensure(self) -> str:
        self.begin()
        return self.url()

    def status(self) -> ServerStatus:
        """Look, without starting or waiting for anything."""
        if configured := configured_api_url():
            return ServerStatus(state="configured", api_url=configured)
        state = self._alive()
        if state is None:
            return ServerStatus(state="stopped", log=self.log if self.log.exists() else None)
        return ServerStatus(
            state="running" if _healthy(state["port"], timeout=1.0) else "starting",
            api_url=_api_url(state),
            ui_url=f"http://{HOST}:{state['port']}",
            pid=state["pid"],
            log=self.log,
        )

    def stop(self) -> bool:
        """Stop the server, by force after a while; returns False where none of ours was running."""
        with self._locked():
            state = self._alive()
            if state is not None:
                end(state)
            self._state_file.unlink(missing_ok=True)
            self._ready_pid = None
        return state is not None

    def _start(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((HOST, 0))
            listener.listen(128)
            port = listener.getsockname()[1]
            os.set_inheritable(listener.fileno(), True)
            pid = self._spawn(listener.fileno(), port)
        state = {"pid": pid, "port": port, "started": process_start(pid)}
        self._started_pid = pid
        temporary = self._state_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(state))
        temporary.replace(self._state_file)

    def _spawn(self, listener: int, port: int) -> int:
        # Not subprocess.Popen, which complains of a child that outlives it, as this one is meant to.
        return os.posix_spawn(
            sys.executable,
            # -P: nothing that lies in the current folder is imported
            [sys.executable, "-P", "-c", LAUNCHER, str(listener), str(self.root)],
            self._environment(port),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )

    def _environment(self, port: int) -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_API_", "PREFECT_PROFILE"))}
        return {
            # No blocks: registering the 54 types that ship with Prefect takes 3 s.
            "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            **mine,
            "PREFECT_HOME": str(self.root),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.root / DATABASE}",
            "PREFECT_SERVER_API_HOST": HOST,  # what the UI is told to call
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    def _wait(self, state: dict[str, Any]) -> bool:
        """Wait until the server answers; returns False where its process ends first."""
        deadline = time.monotonic() + self._ready_seconds
        while not _healthy(state["port"], timeout=1.0):
            if not is_running(state):
                return False
            if time.monotonic() > deadline:
                raise ServerError.not_ready(f"was not ready after {self._ready_seconds:g} s", self.log)
            time.sleep(POLL_SECONDS)
        return True

    def _alive(self) -> dict[str, Any] | None:
        try:
            state = json.loads(self._state_file.read_text())
            return state if is_running(state) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "server.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _healthy(port: int, timeout: float) -> bool:
    connection = HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _api_url(state: dict[str, Any]) -> str:
    return f"http://{HOST}:{state['port']}/api"
