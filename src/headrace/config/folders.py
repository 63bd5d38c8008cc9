"""Where config files are: the project's `conf/`, and behind it the one that comes with headrace."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def packaged_conf() -> Path:
    """Return headrace's own `conf/`: inside the package when installed, beside `src/` in a checkout."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent.parent / "conf"


_used: list[Path] = []


def use_conf(folder: Path) -> None:
    """From now on search this folder first, such as the config that a sweep began with."""
    _used[:] = [folder]


def project_conf() -> Path:
    """Return the folder that is searched first: `./conf` where there is one."""
    own = _used[0] if _used else Path.cwd() / "conf"
    return own if own.is_dir() else packaged_conf()
