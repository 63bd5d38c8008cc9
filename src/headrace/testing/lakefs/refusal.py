"""The answers with which lakeFS refuses, by status and message."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that is answered with an error; `body` replaces lakeFS's usual `{"message": ...}`."""

    def __init__(self, status: int, message: str, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.body = {"message": message} if body is None else body


class Violation(Refusal):
    """A request that no correct client sends: refused with 400, and remembered by the server."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def not_found(what: str = "") -> Refusal:
    """Say that something is not there; for a ref or a path lakeFS says no more than `not found`."""
    return Refusal(404, f"{what} not found".lstrip())


def invalid(argument: str) -> Refusal:
    return Refusal(400, f"argument {argument}: invalid value: validation error")


def no_changes(prefix: str) -> Refusal:
    return Refusal(400, f"{prefix}: no changes")


def dirty_branch(branch: str) -> Refusal:
    return Refusal(400, f"update branch {branch}: {branch}: uncommitted changes (dirty branch)")


def conflict(message: str) -> Refusal:
    return Refusal(409, message)


def path_exists() -> Refusal:
    return Refusal(412, "path already exists")
