"""The journal: one file for each deployment, so that the next command finishes what a killed one left."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from headrace.registry import Why

State = Literal["planned", "lake", "wandb", "service", "done", "undone"]
STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "undone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One change of one alias, and how far it got: `state` is the last step that is done.

    `start` is the version that the alias named before, with its `share_before` of the traffic; `to` the
    one that it is to name, None where it is to name nothing, and unknown (None) as long as a run is still
    to be published. `said` tells how it ended.
    """

    id: str
    model: str
    alias: str
    why: Why
    start: int | None
    to: int | None
    run: str | None = None
    publishes: bool = False
    forced: str | None = None
    share: float | None = None
    share_before: float | None = None
    clears: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = field(default=())
    state: State = "planned"
    started: str = ""
    said: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def to_json(self) -> dict[str, Any]:
        return {"format": 1, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Deployment:
        known = {one.name: data[one.name] for one in fields(cls) if one.name in data}
        return cls(**{**known, "clears": tuple(data["clears"]), "checks": tuple(data["checks"])})


class Journal:
    """Deployments below a folder, `<id>.json` each. A reader sees the old state or the new one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, deployment: Deployment) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        file = self._file(deployment.id)
        part = file.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            json.dump(deployment.to_json(), stream, indent=1, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)

    def forget(self, deployment_id: str) -> None:
        self._file(deployment_id).unlink(missing_ok=True)

    def read_all(self) -> list[Deployment]:
        """Return every deployment, oldest first; a file that is none is passed over."""
        found = []
        for file in sorted(self.root.glob("*.json")):
            try:
                found.append(Deployment.from_json(json.loads(file.read_bytes())))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def unfinished(self, model: str | None = None) -> list[Deployment]:
        """Return what has not ended, of one model or of all, oldest first."""
        return [one for one in self.read_all() if not one.ended and model in (None, one.model)]

    @contextmanager
    def hold(self, model: str, wait: bool = True) -> Iterator[bool]:
        """Hold a model for this process; freed when it dies. Without `wait` gives False where it is held."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{model}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def _file(self, deployment_id: str) -> Path:
        return self.root / f"{deployment_id}.json"
