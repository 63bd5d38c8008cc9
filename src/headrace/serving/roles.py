"""The parts of the service as they know each other: which version answers, who logs, who counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from headrace.core.model_signature import ModelSignature
from headrace.core.serving import Answers, Predictor, Request, RowSchema

Role = Literal["stable", "canary", "shadow"]


class Batcher(Protocol):
    """Gathers rows of several requests into one call of a model. Used from the event loop."""

    async def submit(self, request: Request) -> Answers:
        """Answer a request that was checked. Raises `Overloaded` at once where too many wait, and what the
        model raises."""

    async def drain(self) -> None:
        """Wait until everything that was taken is answered, and take nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One version that is loaded, warmed and checked."""

    predictor: Predictor
    schema: RowSchema
    batcher: Batcher
    role: Role


class Hosted(Protocol):
    """One model of the service, whatever version answers for it now."""

    name: str
    stable: Serving

    def choose(self, key: str | None) -> Serving:
        """Return who answers this request: the canary for its share of keys, else the stable version.

        The same key gets the same version for as long as both stay; None is a request without one.
        """

    def observe(self, serving: Serving, seconds: float, failed: bool) -> None:
        """Take how a request came out; a canary that errs too often is sent away by that."""

    def shadow(self, request_id: str, request: Request, answers: Answers) -> None:
        """Let the shadow, where there is one, answer the same rows later, and compare. Never blocks."""


class Host(Protocol):
    """Every model of the service."""

    models: Mapping[str, Hosted]  # by name, in the order in which they were named
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One answered request, as the log keeps it. `columns` are the rows as they were checked."""

    id: str
    time: float  # seconds since the epoch
    model: str
    version: int
    role: Role
    signature: ModelSignature  # of that version
    columns: Mapping[str, list[Any]]
    answers: Answers
    seconds: float
    bytes: int = 0  # of the request's body


class PredictionLog(Protocol):
    """Keeps predictions. Never blocks and never raises; what it cannot keep it counts."""

    def write(self, prediction: Prediction) -> None:
        """Take one prediction, to be kept later."""

    def close(self) -> None:
        """Keep everything that was taken, and stop."""
