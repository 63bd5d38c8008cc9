"""Where the user said that Prefect's API is, found without importing Prefect."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError


def configured_api_url() -> str | None:
    """Return the API that the user set, as Prefect would find it, or None.

    Looks at the environment, `prefect.toml`, `pyproject.toml` and the active profile, in this
    order. A `.env` file, which Prefect reads too, is not looked at.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    for path, table in (("prefect.toml", ("api",)), ("pyproject.toml", ("tool", "prefect", "api"))):
        found: Any = _read_toml(Path(path))
        for part in table:
            found = found.get(part, {})
        if found.get("url"):
            return str(found["url"])
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    profiles = _read_toml(Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml"))
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    profile = profiles.get("profiles", {}).get(active, {})
    # `prefect profile use local` need not write down what this built-in profile says.
    built_in = "http://127.0.0.1:4200/api" if active == "local" else None
    return profile.get("PREFECT_API_URL") or built_in


def require_configured_api_url() -> str:
    """Return the API that the user set, for `runtime=cloud`.

    Raises:
        ConfigError: where none is set; nothing is ever started instead.
    """
    if url := configured_api_url():
        return url
    raise ConfigError.one(
        "runtime.kind",
        "cloud wants a Prefect API, and none is configured",
        "type `prefect cloud login`, or set PREFECT_API_URL and PREFECT_API_KEY; or use runtime=local",
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
