"""A request that is understood and answered with an error."""

from __future__ import annotations


class Refusal(Exception):
    """What W&B would say no to, such as a run that is not there. No fault of the client: no complaint."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Violation(Refusal):
    """What no correct client sends: refused, and remembered among the server's complaints."""


def not_found(what: str) -> Refusal:
    return Refusal(404, f"could not find {what}")
