"""The model of projects, runs and alerts, for the server to fill and for tests to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.testing.wandb.ids import encode_id, now

if TYPE_CHECKING:
    from headrace.testing.wandb.artifacts import Artifact, Collection
    from headrace.testing.wandb.storage import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What `run.alert` asked for; `wait_milliseconds` is the pause before the same title may come again."""

    title: str
    text: str
    severity: str
    wait_milliseconds: int


@dataclass(eq=False, slots=True, kw_only=True)
class Run:
    """One run. `config` and `summary` are decoded; `history` has one dict for each step.

    `state` is `running`, `finished` or `failed`, as its exit code says; `preempting` where a client said so.
    `used` and `logged` are its inputs and outputs, each once, in the order in which they came.
    """

    project: Project
    name: str
    number: int
    created_at: str = field(default_factory=now)
    heartbeat_at: str = field(default_factory=now)
    display_name: str = ""
    group: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    description: str | None = None
    commit: str | None = None
    program: str | None = None
    host: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    output: dict[int, str] = field(default_factory=dict)
    state: str = "running"
    exit_code: int | None = None
    files: dict[str, StoredFile] = field(default_factory=dict)
    reported_files: list[str] = field(default_factory=list)
    used: list[Artifact] = field(default_factory=list)
    logged: list[Artifact] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    @property
    def id(self) -> str:
        return encode_id("Run", self.number)

    @property
    def settings(self) -> dict[str, Any]:
        """The config as its user wrote it: without the client's own entry and its `value` wrappers."""
        return {name: entry["value"] for name, entry in self.config.items() if name != "_wandb"}


@dataclass(eq=False, slots=True, kw_only=True)
class Project:
    """A project of an entity; a registry is a project of an organization's entity."""

    entity: str
    name: str
    number: int
    created_at: str = field(default_factory=now)
    description: str | None = None
    access: str | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return encode_id("Project", self.number)

    @property
    def is_registry(self) -> bool:
        return self.name.startswith("wandb-registry-")
