"""What a service tells other processes on this machine of itself, in files: who serves which version.

`services/<id>/service.json` is the service, `worker-<pid>.json` each of its processes. `flows.deploy` waits
by them, and nothing else depends on them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "services"
SERVICE = "service.json"


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
    about = {"id": service_id, "pid": os.getpid(), "url": url, "models": models, "started": started}
    write_json(folder / SERVICE, about)
    return folder


def tell_worker(folder: Path, models: Mapping[str, Any]) -> None:
    """Tell what this process serves."""
    write_json(folder / f"worker-{os.getpid()}.json", {"pid": os.getpid(), "models": models})


def forget_worker(folder: Path) -> None:
    """Take back what this process told."""
    (folder / f"worker-{os.getpid()}.json").unlink(missing_ok=True)


def close_service(folder: Path) -> None:
    """Tell that a service is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def live_services(root: Path) -> Iterator[LiveService]:
    """Yield the services that run, and remove what dead ones left."""
    for file in sorted((root / FOLDER).glob(f"*/{SERVICE}")):
        about = _read(file)
        if about is None:
            continue
        if not is_alive(int(about["pid"])):
            shutil.rmtree(file.parent, ignore_errors=True)
            continue
        found = (_read(worker) for worker in sorted(file.parent.glob("worker-*.json")))
        workers = tuple(one for one in found if one is not None and is_alive(int(one["pid"])))
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
