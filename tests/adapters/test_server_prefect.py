"""The project's own Prefect server, and where a configured one is found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters.server_prefect import (
    LocalServer,
    ServerError,
    configured_api_url,
    require_configured_api_url,
)
from headrace.errors import ConfigError


@pytest.fixture(autouse=True)
def _nothing_is_configured(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    server = LocalServer(tmp_path / "server")
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.server
@pytest.mark.slow
def test_one_server_is_started_kept_replaced_and_stopped(server: LocalServer) -> None:
    """Three starters make one server; a killed one is replaced and its database kept; stop ends it."""
    urls: list[str] = []
    threads = [
        threading.Thread(target=lambda: urls.append(LocalServer(server.root).ensure())) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = server.status()
    assert first.state == "running"
    assert urls == [first.api_url] * 3
    with urllib.request.urlopen(f"{first.ui_url}/ui-settings", timeout=20) as answer:
        assert json.load(answer)["api_url"] == first.api_url

    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    database = (server.root / "prefect.db").stat().st_ino
    assert LocalServer(server.root).ensure() != ""
    second = server.status()
    assert second.state == "running"
    assert second.pid != first.pid
    assert (server.root / "prefect.db").stat().st_ino == database

    assert server.stop() is True
    assert server.status().state == "stopped"
    assert server.stop() is False


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(server: LocalServer) -> None:
    """The error holds the end of the server's log, and what to type."""
    server.root.mkdir()
    (server.root / "prefect.db").write_bytes(b"no database at all " * 1000)
    with pytest.raises(ServerError, match="file is not a database") as caught:
        server.ensure()
    assert "ended before it was ready" in str(caught.value)
    assert "runtime=inline" in str(caught.value)


def test_looking_starts_nothing(server: LocalServer) -> None:
    """`status` and `stop` where nothing runs say so and leave no process."""
    assert server.status().state == "stopped"
    assert server.stop() is False
    assert not (server.root / "server.log").exists()


def test_a_recycled_pid_is_not_our_server(server: LocalServer) -> None:
    """A live process with the recorded id but another start time is neither reported nor killed."""
    server.root.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        state = {"pid": other.pid, "port": 1, "started": "another time"}
        (server.root / "server.json").write_text(json.dumps(state))
        assert server.status().state == "stopped"
        assert server.stop() is False
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_damaged_state_file_means_no_server(server: LocalServer, text: str) -> None:
    """Whatever lies in `server.json`, looking does not fail."""
    server.root.mkdir()
    (server.root / "server.json").write_text(text)
    assert server.status().state == "stopped"


def test_a_configured_api_is_used_and_nothing_started(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PREFECT_API_URL set, `ensure` returns it and makes not even a folder."""
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    assert server.ensure() == "https://prefect.example/api"
    assert server.status().state == "configured"
    assert not server.root.exists()


def write_profiles(text: str) -> None:
    (Path(os.environ["PREFECT_HOME"]) / "profiles.toml").write_text(text)


PROFILES = """
active = "{active}"
[profiles.work]
PREFECT_API_URL = "https://work.example/api"
[profiles.empty]
"""


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ("work", "https://work.example/api"),
        ("local", "http://127.0.0.1:4200/api"),
        ("empty", None),
        ("gone", None),
    ],
)
def test_the_active_profile_is_read(active: str, expected: str | None) -> None:
    """The URL is that of the active profile, and nothing where the profile has none."""
    write_profiles(PROFILES.format(active=active))
    assert configured_api_url() == expected


def test_the_nearer_setting_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment goes before prefect.toml, that before pyproject.toml, that before the profile."""
    assert configured_api_url() is None
    write_profiles(PROFILES.format(active="empty"))
    monkeypatch.setenv("PREFECT_PROFILE", "work")
    assert configured_api_url() == "https://work.example/api"
    (project / "pyproject.toml").write_text('[tool.prefect.api]\nurl = "https://pyproject.example/api"\n')
    assert configured_api_url() == "https://pyproject.example/api"
    (project / "prefect.toml").write_text('[api]\nurl = "https://toml.example/api"\n')
    assert configured_api_url() == "https://toml.example/api"
    monkeypatch.setenv("PREFECT_API_URL", "https://env.example/api")
    assert configured_api_url() == "https://env.example/api"


def test_cloud_without_an_api_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """`runtime=cloud` is a config error until an API is configured."""
    with pytest.raises(ConfigError, match="prefect cloud login"):
        require_configured_api_url()
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api")
    assert require_configured_api_url() == "https://api.prefect.cloud/api"
