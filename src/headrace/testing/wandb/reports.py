"""The model of reports, which W&B calls views, and of the tokens in their share links."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from headrace.testing.wandb.ids import encode_id, now
from headrace.testing.wandb.runs import Project


@dataclass(eq=False, slots=True, kw_only=True)
class AccessToken:
    """A share link's token: whoever has it reads the report and `projects`, until it is revoked."""

    token: str
    projects: list[Project]
    type: str = "PUBLIC"
    revoked_at: str | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class View:
    """A saved report; `saves` counts how often, `spec` is the JSON as the client sent it."""

    number: int
    project: Project
    name: str
    type: str
    spec: str
    display_name: str = ""
    description: str = ""
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    saves: int = 0
    access_tokens: list[AccessToken] = field(default_factory=list)

    @property
    def id(self) -> str:
        # The client puts the id behind `--` into the report's URL, without the padding.
        return encode_id("View", self.number)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.spec)["blocks"]
        return found

    @property
    def active_tokens(self) -> list[str]:
        return [token.token for token in self.access_tokens if token.revoked_at is None]
