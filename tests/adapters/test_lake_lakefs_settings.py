"""Where the lakeFS adapter finds its server and keys, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.adapters.lake_lakefs.settings import Settings, find_settings, is_open_to_eavesdroppers
from headrace.errors import ConfigError

SECRET = "made-up-secret-value"
ENVIRON = {
    "LAKECTL_SERVER_ENDPOINT_URL": "https://lake.example.com",
    "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "made-up-key-id",
    "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET,
    "HEADRACE_LAKE_REPOSITORY": "demo",
}
NOTHING: dict[str, Any] = {
    "repository": None,
    "endpoint": None,
    "access_key_id": None,
    "secret_access_key": None,
    "storage_namespace": None,
    "ca_bundle": None,
    "allow_plain_http": False,
    "presigned": True,
    "timeout_seconds": 60.0,
    "retry_seconds": 60.0,
}


def find(environ: Mapping[str, str], file: Path = Path("/nowhere"), **given: Any) -> Settings:
    return find_settings(**{**NOTHING, **given}, environ=environ, lakectl_file=file)


@pytest.fixture
def lakectl_file(tmp_path: Path) -> Path:
    file = tmp_path / ".lakectl.yaml"
    file.write_text(
        "credentials:\n  access_key_id: file-key\n  secret_access_key: file-secret\n"
        "server:\n  endpoint_url: https://file.example.com/api/v1\n"
    )
    return file


def test_the_environment_is_enough() -> None:
    """lakectl's own variables and the repository's are all that is needed."""
    found = find(ENVIRON)
    assert (found.endpoint, found.repository) == ("https://lake.example.com/api/v1", "demo")
    assert (found.access_key_id, found.secret_access_key) == ("made-up-key-id", SECRET)


def test_lakectls_file_is_read(lakectl_file: Path) -> None:
    """`~/.lakectl.yaml` gives endpoint and keys where the environment is silent."""
    found = find({}, lakectl_file, repository="demo")
    assert (found.endpoint, found.access_key_id) == ("https://file.example.com/api/v1", "file-key")


def test_config_wins_over_environment_over_file(lakectl_file: Path) -> None:
    """What stands nearer to the command counts."""
    environ = {"LAKECTL_SERVER_ENDPOINT_URL": "https://env.example.com"}
    found = find(environ, lakectl_file, repository="demo", access_key_id="config-key")
    assert found.endpoint == "https://env.example.com/api/v1"
    assert (found.access_key_id, found.secret_access_key) == ("config-key", "file-secret")


def test_everything_that_is_missing_is_told_at_once() -> None:
    """An empty set-up names each key with the variable that would set it."""
    with pytest.raises(ConfigError) as caught:
        find({})
    text = str(caught.value)
    assert "4 problems" in text
    for name in ENVIRON:
        assert name in text


@pytest.mark.parametrize("name", ["Demo", "a", "-demo", "my_repo", "x" * 64])
def test_bad_repository_names_are_refused(name: str) -> None:
    """A name that lakeFS would refuse is refused before anything is asked."""
    with pytest.raises(ConfigError, match=r"lake\.repository"):
        find(ENVIRON, repository=name)


@pytest.mark.parametrize(
    "endpoint", ["lake.example.com", "ftp://lake.example.com", "https://", "http://[::1", "http://x:99999"]
)
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    """What is no URL is named as such."""
    with pytest.raises(ConfigError, match="is no URL"):
        find(ENVIRON, endpoint=endpoint)


def test_keys_inside_the_url_are_refused_and_not_repeated() -> None:
    """A password in the endpoint is refused without printing it."""
    with pytest.raises(ConfigError) as caught:
        find(ENVIRON, endpoint=f"https://me:{SECRET}@lake.example.com")
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        find(ENVIRON, endpoint=f"me:{SECRET}@lake.example.com")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(LakeFSStore(endpoint=f"https://me:{SECRET}@lake.example.com"))


def test_plain_http_to_another_machine_is_refused() -> None:
    """Keys go over the network in plain text only where somebody allowed it."""
    with pytest.raises(ConfigError, match="allow_plain_http"):
        find(ENVIRON, endpoint="http://lake.example.com:8000")
    allowed = find(ENVIRON, endpoint="http://lake.example.com:8000", allow_plain_http=True)
    assert allowed.endpoint == "http://lake.example.com:8000/api/v1"


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://localhost:8000", False),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("https://lake.example.com", False),
        ("http://lake.example.com", True),
        ("http://127.0.0.1.example.com", True),
        ("http://localhost.example.com", True),
        ("http://10.0.0.1", True),
    ],
)
def test_only_this_machine_is_loopback(url: str, is_open: bool) -> None:
    """A host that only looks like loopback is not."""
    assert is_open_to_eavesdroppers(url) is is_open


def test_keys_are_not_in_any_repr() -> None:
    """Neither the store nor its settings show a key."""
    store = LakeFSStore(repository="demo", access_key_id="made-up-key-id", secret_access_key=SECRET)
    shown = repr(store) + repr(find(ENVIRON))
    assert SECRET not in shown
    assert "made-up-key-id" not in shown


def test_a_damaged_lakectl_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    """A file that is no YAML is an error that does not repeat its lines."""
    file = tmp_path / ".lakectl.yaml"
    file.write_text(f"credentials: [secret_access_key: {SECRET}\n  : :")
    with pytest.raises(ConfigError) as caught:
        find({}, file, repository="demo")
    assert str(file) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_missing_ca_bundle_is_named() -> None:
    """A bundle that is not there is a problem of the config."""
    with pytest.raises(ConfigError, match=r"lake\.ca_bundle"):
        find(ENVIRON, ca_bundle="/no/such.pem")
