"""Where the server is and who asks: from the config, the environment, or lakectl's own file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headrace.errors import ConfigError, Problem

ENDPOINT = "LAKECTL_SERVER_ENDPOINT_URL"
ACCESS_KEY = "LAKECTL_CREDENTIALS_ACCESS_KEY_ID"
SECRET_KEY = "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"
REPOSITORY = "HEADRACE_LAKE_REPOSITORY"
LAKECTL_FILE = Path("~/.lakectl.yaml")

_REPOSITORY_NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_API = "/api/v1"
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a connection needs. The keys never show in `repr`."""

    endpoint: str  # with /api/v1, without a slash at the end
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    repository: str
    storage_namespace: str | None
    ca_bundle: str | None  # file of certificates; None: the system's
    allow_plain_http: bool
    presigned: bool
    timeout_seconds: float  # that the server may stay silent
    retry_seconds: float  # that a call is tried again for


def find_settings(
    *,
    repository: str | None,
    endpoint: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    storage_namespace: str | None,
    ca_bundle: str | None,
    allow_plain_http: bool,
    presigned: bool,
    timeout_seconds: float,
    retry_seconds: float,
    environ: Mapping[str, str] = os.environ,
    lakectl_file: Path = LAKECTL_FILE,
) -> Settings:
    """Complete what the config leaves open. Raises `ConfigError` with everything that is missing."""
    filed: Mapping[str, Any] = {}
    if not (endpoint and access_key_id and secret_access_key):
        filed = _read_lakectl_file(lakectl_file.expanduser())
    credentials = filed.get("credentials") or {}
    found = {
        "endpoint": endpoint or environ.get(ENDPOINT) or (filed.get("server") or {}).get("endpoint_url"),
        "access_key_id": access_key_id or environ.get(ACCESS_KEY) or credentials.get("access_key_id"),
        "secret_access_key": secret_access_key
        or environ.get(SECRET_KEY)
        or credentials.get("secret_access_key"),
        "repository": repository or environ.get(REPOSITORY),
    }
    problems = _check(found, ca_bundle, lakectl_file)
    url = _api_url(str(found["endpoint"]), problems) if found["endpoint"] else ""
    if url and not allow_plain_http and is_open_to_eavesdroppers(url):
        problems.append(
            Problem(
                "lake.endpoint",
                f"{url} sends keys and data in plain text over the network",
                "use https://…, or where the network is trusted type: lake.allow_plain_http=true",
            )
        )
    if problems:
        raise ConfigError(problems)
    return Settings(
        endpoint=url,
        access_key_id=str(found["access_key_id"]),
        secret_access_key=str(found["secret_access_key"]),
        repository=str(found["repository"]),
        storage_namespace=storage_namespace,
        ca_bundle=ca_bundle,
        allow_plain_http=allow_plain_http,
        presigned=presigned,
        timeout_seconds=timeout_seconds,
        retry_seconds=retry_seconds,
    )


def is_open_to_eavesdroppers(url: str) -> bool:
    """Tell whether a URL is plain HTTP to another machine."""
    parts = urlsplit(url)
    return parts.scheme != "https" and _LOOPBACK.fullmatch(parts.hostname or "") is None


def _check(found: Mapping[str, Any], ca_bundle: str | None, lakectl_file: Path) -> list[Problem]:
    variables = {"endpoint": ENDPOINT, "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    keys = {
        "endpoint": "server.endpoint_url",
        "access_key_id": "credentials.access_key_id",
        "secret_access_key": "credentials.secret_access_key",
    }
    problems = [
        Problem(
            f"lake.{name}", "is set nowhere", f"export {variable}=…, or set {keys[name]} in {lakectl_file}"
        )
        for name, variable in variables.items()
        if not found[name]
    ]
    repository = found["repository"]
    if not repository:
        hint = f"type: lake.repository=<name>, or export {REPOSITORY}=<name>"
        problems.append(Problem("lake.repository", "is set nowhere", hint))
    elif not _REPOSITORY_NAME.fullmatch(str(repository)):
        rule = "3 to 63 lower-case letters, digits and '-', not starting with '-'"
        mended = re.sub(r"[^a-z0-9-]+", "-", str(repository).lower()).strip("-")
        problems.append(
            Problem("lake.repository", f"{repository!r} is no name: {rule}", f"try lake.repository={mended}")
        )
    if ca_bundle is not None and not Path(ca_bundle).is_file():
        hint = "name a PEM file, or null for the system's certificates"
        problems.append(Problem("lake.ca_bundle", f"there is no file {ca_bundle}", hint))
    return problems


def _api_url(endpoint: str, problems: list[Problem]) -> str:
    shown = endpoint.rpartition("@")[2]  # before it may stand a password
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        problems.append(
            Problem("lake.endpoint", f"{shown!r} is no URL", "type: lake.endpoint=https://<host>")
        )
        return ""
    if parts.username or parts.password:
        found = "the URL holds a user or a password"
        problems.append(Problem("lake.endpoint", found, f"put them into {ACCESS_KEY} and {SECRET_KEY}"))
        return ""
    path = parts.path.rstrip("/") or _API
    return f"{parts.scheme}://{parts.netloc}{path}"


def _read_lakectl_file(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    import yaml

    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        # A parser quotes the line it stumbled over, which may be the one with the key.
        raise ConfigError.one(
            str(file), "cannot be read as YAML", "mend it, or use the environment"
        ) from None
    return loaded if isinstance(loaded, Mapping) else {}
