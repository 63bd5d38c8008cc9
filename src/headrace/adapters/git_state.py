"""The state of the code, by git."""

from __future__ import annotations

import subprocess
from typing import Any

from headrace.core.digest import digest_bytes

_SECONDS = 10


def read_git_state() -> dict[str, Any]:
    """Return `commit`, `dirty` and `diff`; {} outside a checkout.

    `dirty` counts files that git does not track and does not ignore; `diff` is the digest of the change
    to tracked files.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    status = _git("status", "--porcelain", "--untracked-files=normal") or b""
    diff = (_git("diff", "HEAD") or b"") if status else b""
    return {
        "commit": commit.decode().strip(),
        "dirty": bool(status),
        "diff": digest_bytes(diff) if diff else None,
    }


def _git(*args: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *args], capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
