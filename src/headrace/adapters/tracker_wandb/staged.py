"""What a run's log holds for the server, and whether the files that it names are still there."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headrace.adapters.tracker_wandb.recorder import child_environment
from headrace.errors import SyncError

READ_WITHIN_SECONDS = 120


def read_artifacts(folder: Path) -> list[dict[str, Any]]:
    """Return the artifacts in a run's log: `name`, `type`, `digest`, `used`, and `files` by their place.

    Raises `SyncError` where the log is gone or cannot be read.
    """
    logs = sorted(folder.glob("*.wandb"))
    if not logs:
        raise SyncError(f"{folder} holds no log of W&B: it was moved or deleted")
    found = []
    for record in _records(logs[0]):
        if record.get("type") == "artifact":
            artifact = record["artifact"]
            contents = artifact.get("manifest", {}).get("contents", [])
            found.append(
                {
                    "name": artifact["name"],
                    "type": artifact["type"],
                    "digest": artifact["digest"],
                    "used": bool(artifact.get("use_after_commit")),
                    "files": {c["local_path"]: c["digest"] for c in contents if c.get("local_path")},
                }
            )
    return found


def check_staged(artifacts: list[dict[str, Any]]) -> None:
    """Raise `SyncError` naming what is missing or changed: W&B's own command would send the rest."""
    problems = []
    for artifact in artifacts:
        for place, digest in artifact["files"].items():
            file = Path(place)
            if not file.is_file():
                problems.append(f"{artifact['name']}: {place} is missing")
            elif _md5(file) != digest:
                problems.append(f"{artifact['name']}: {place} is not what was logged (MD5 differs)")
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:10])
        more = f"\n  … and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise SyncError(f"files that wait for W&B are damaged or gone, so nothing is sent:\n{shown}{more}")


def discard_staged(artifacts: list[dict[str, Any]]) -> None:
    """Delete the copies of files that the server has."""
    for artifact in artifacts:
        for place in artifact["files"]:
            Path(place).unlink(missing_ok=True)


def _records(log: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a transaction log, as W&B's own reader prints them."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=child_environment({}),
            timeout=READ_WITHIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SyncError(f"{log} cannot be read in {READ_WITHIN_SECONDS} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise SyncError(f"{log} cannot be read: {said[-1] if said else 'no reason given'}")
    for line in done.stdout.splitlines():
        yield json.loads(line)


def _md5(file: Path) -> str:
    """Return the MD5 as W&B writes it; it is no protection against people."""
    with file.open("rb") as stream:
        return base64.b64encode(hashlib.file_digest(stream, "md5").digest()).decode()
