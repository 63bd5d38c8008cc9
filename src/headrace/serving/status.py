"""What a service tells other processes on this machine of itself, in files: who serves which version.

`services/<id>/service.json` is the service, `worker-<pid>.json` each of its processes. `flows.deploy` waits
by them, and nothing else depends on them.

A number of a process means something on one machine, or in one container, and is given again: so each file
tells the host too, and when its process was born.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "services"
SERVICE = "service.json"
FORGET_SECONDS = 3600.0  # since a service of another host, which may share the folder, told anything


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveService:
    """A service that runs: what it told when it started, and what each worker told last."""

    about: Mapping[str, Any]
    workers: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


def open_service(root: Path, service_id: str, url: str, models: list[str]) -> Path:
    """Tell that a service starts, by this process; return its folder."""
    folder = root / FOLDER / service_id
    folder.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"id": service_id, **_me(), "url": url, "models": models, "started": started}
    write_json(folder / SERVICE, about)
    return folder


def tell_worker(folder: Path, models: Mapping[str, Any]) -> None:
    """Tell what this process serves."""
    write_json(folder / f"worker-{os.getpid()}.json", {**_me(), "models": models})


def forget_worker(folder: Path) -> None:
    """Take back what this process told."""
    (folder / f"worker-{os.getpid()}.json").unlink(missing_ok=True)


def close_service(folder: Path) -> None:
    """Tell that a service is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def live_services(root: Path) -> Iterator[LiveService]:
    """Yield the services that run on this host, and remove what dead ones left."""
    for file in sorted((root / FOLDER).glob(f"*/{SERVICE}")):
        about = _read(file)
        if about is None:
            continue
        if not _lives(about):
            if _is_here(about) or _is_silent(file.parent):
                shutil.rmtree(file.parent, ignore_errors=True)
            continue
        found = (_read(worker) for worker in sorted(file.parent.glob("worker-*.json")))
        workers = tuple(one for one in found if one is not None and _lives(one))
        yield LiveService(about=about, workers=workers)


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "born": _birth(os.getpid()), "host": socket.gethostname()}


def _is_here(told: Mapping[str, Any]) -> bool:
    return told.get("host") in (None, socket.gethostname())


def _lives(told: Mapping[str, Any]) -> bool:
    """Tell whether the very process that told this runs here."""
    pid = int(told["pid"])
    return _is_here(told) and is_alive(pid) and told.get("born") in (None, _birth(pid))


def _birth(pid: int) -> int | None:
    """Return when a process began, in ticks since the start of the machine; None where nothing tells."""
    try:
        # The name in the second field may hold anything, brackets and spaces too.
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _is_silent(folder: Path) -> bool:
    with suppress(OSError):
        newest = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
        return time.time() - newest > FORGET_SECONDS
    return False


def write_json(file: Path, value: Any) -> None:
    """Write a file at once: who reads it sees the old text or the new one."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(json.dumps(value, indent=1), "utf-8")
    beside.replace(file)


def _read(file: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text("utf-8"))
        if isinstance(found, dict) and "pid" in found:
            return found
    return None
