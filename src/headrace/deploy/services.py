"""The services of this machine, as they tell of themselves in their status files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headrace.loaded import parse_model
from headrace.registry import CANARY, SHADOW
from headrace.serving.settings import CanarySettings
from headrace.serving.status import LiveService, live_services

POLL_SECONDS = 0.2

Role = Literal["stable", "canary", "shadow"]
SawMove = Callable[[str], bool]
"""Takes a commit of the lake, and tells whether the move that is waited for is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What one process of a service says of one model. `pid` is 0 for a service without workers yet."""

    service: str
    url: str
    pid: int
    alias: str  # by which it answers
    said: Mapping[str, Any] = field(default_factory=dict)

    def version(self, role: Role) -> int | None:
        found = self.said.get(role)
        return None if found is None else int(found)

    def has(self, role: Role, version: int | None) -> bool:
        """Tell whether a version has a role; one that answers already has no other role beside that."""
        mine = self.version(role)
        return mine == version or (mine is None and version == self.version("stable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came of waiting: services that follow, those that do not yet, and why one refused."""

    urls: tuple[str, ...] = ()
    workers: int = 0
    late: tuple[str, ...] = ()
    refused: str | None = None


class Services:
    """Reads what services tell below `<headrace_dir>`; what dead ones left is passed over."""

    def __init__(self, root: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._root = root
        self._sleep = sleep

    def workers(self, model: str) -> list[Worker]:
        """Return the live workers that answer for a model by one of its aliases."""
        return [worker for service in live_services(self._root) for worker in _workers(service, model)]

    def wait(self, model: str, alias: str, version: int | None, seconds: float, saw: SawMove) -> Followed:
        """Wait until every live worker has the version in the role of its alias, or one refuses it.

        A refusal counts from a worker that has seen the move, and not what it said of an earlier one.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = self._look(model, alias, version, saw)
            if found.refused is not None or not found.late or time.monotonic() >= deadline:
                return found
            self._sleep(POLL_SECONDS)

    def _look(self, model: str, alias: str, version: int | None, saw: SawMove) -> Followed:
        asked = [(one, role) for one in self.workers(model) if (role := _role(one, alias)) is not None]
        late = []
        for worker, role in asked:
            if worker.has(role, version):
                continue
            if (why := _refusal(worker, role, version)) and saw(str(worker.said.get("commit"))):
                return Followed(refused=f"{worker.url}: {why}")
            late.append(f"{worker.url} (process {worker.pid})" if worker.pid else worker.url)
        urls = tuple(dict.fromkeys(worker.url for worker, _ in asked))
        return Followed(urls=urls, workers=len(asked), late=tuple(late))

    def judge_canary(self, model: str, version: int, wanted: CanarySettings) -> list[dict[str, Any]]:
        """Hold the figures of a canary against what they must be; checks as a gate's."""
        asked = [one for one in self.workers(model) if one.version("canary") == version]
        figures = [one.said.get("figures") or {} for one in asked]
        requests = sum(_count(one, CANARY, "requests") for one in figures)
        errors = sum(_count(one, CANARY, "errors") for one in figures)
        nobody = "" if figures else "no running service has it as its canary"
        enough = requests >= wanted.min_requests
        rate = errors / requests if requests else None
        well = rate is not None and rate <= wanted.max_error_rate
        unknown = "" if requests else "no requests"
        ratio = _latency_ratio(figures)
        fast = ratio is None or ratio <= wanted.max_latency_ratio
        alone = "" if ratio else "nothing to compare with"
        return [
            _check("canary requests", "min", wanted.min_requests, requests, enough, nobody),
            _check("canary error rate", "max", wanted.max_error_rate, rate, well, unknown),
            _check("canary latency ratio", "max", wanted.max_latency_ratio, ratio, fast, alone),
        ]


def _workers(service: LiveService, model: str) -> Iterator[Worker]:
    alias = next((alias for name, alias in map(_named, service.about["models"]) if name == model), "")
    if not alias:
        return  # another model, or a version that is fixed
    name, url = str(service.about["id"]), str(service.about["url"])
    for told in service.workers:
        said = (told.get("models") or {}).get(model) or {}
        yield Worker(service=name, url=url, pid=int(told["pid"]), alias=alias, said=said)
    if not service.workers:  # it starts, and will look
        yield Worker(service=name, url=url, pid=0, alias=alias)


def _named(model: str) -> tuple[str, str]:
    name, alias, _ = parse_model(model)
    return name, alias


def _role(worker: Worker, alias: str) -> Role | None:
    if alias == worker.alias:
        return "stable"
    if alias == CANARY:
        return "canary"
    return "shadow" if alias == SHADOW else None


def _refusal(worker: Worker, role: Role, version: int | None) -> str:
    refused = worker.said.get("refused") or {}
    if version is not None and refused.get("version") == version:
        return str(refused.get("why") or "refused, without a reason")
    if role == "canary" and version is not None:
        return str(worker.said.get("canary_returned") or "")
    return ""


def _count(figures: Mapping[str, Any], role: str, name: str) -> int:
    return int((figures.get(role) or {}).get(name) or 0)


def _latency_ratio(figures: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the canary's median latency over the stable version's, each the workers' mean by requests."""
    canary, stable = (_median(figures, role) for role in ("canary", "stable"))
    return None if canary is None or not stable else canary / stable


def _median(figures: Sequence[Mapping[str, Any]], role: str) -> float | None:
    known = [one[role] for one in figures if (one.get(role) or {}).get("p50_ms") is not None]
    weights = [int(one.get("requests") or 0) for one in known]
    if not sum(weights):
        return None
    return sum(float(one["p50_ms"]) * w for one, w in zip(known, weights, strict=True)) / sum(weights)


def _check(
    metric: str, rule: str, wanted: float, found: float | None, passed: bool, detail: str
) -> dict[str, Any]:
    told = {"metric": metric, "slice": None, "rule": rule, "wanted": wanted}
    return {**told, "found": found, "passed": passed, "detail": detail}
