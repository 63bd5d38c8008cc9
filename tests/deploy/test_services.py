"""What the services of this machine say: who serves which version, and how a canary does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from headrace.deploy.services import Services
from headrace.serving.settings import CanarySettings

DEAD = 2**22 + 1  # beyond the largest pid of Linux
FIGURES = {
    "canary": {"requests": 90, "errors": 1, "p50_ms": 3.0},
    "stable": {"requests": 900, "errors": 0, "p50_ms": 2.0},
}


def serve(root: Path, name: str, models: list[str], pid: int, workers: dict[int, dict[str, Any]]) -> None:
    folder = root / "services" / name
    folder.mkdir(parents=True)
    about = {"id": name, "pid": pid, "url": f"http://{name}", "models": models, "started": ""}
    (folder / "service.json").write_text(json.dumps(about))
    for worker, said in workers.items():
        told = {"pid": worker, "models": {"birds": {"commit": "c1", **said}}}
        (folder / f"worker-{worker}.json").write_text(json.dumps(told))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(tmp_path, sleep=lambda seconds: None)


def test_only_live_workers_by_an_alias_count(tmp_path: Path, services: Services) -> None:
    """Dead processes, fixed versions and other models are passed over; NAME alone is production."""
    me = os.getpid()
    serve(tmp_path, "a", ["fish", "birds@staging"], me, {me: {"stable": 2}, DEAD: {"stable": 1}})
    serve(tmp_path, "b", ["birds/3"], me, {me: {"stable": 3}})
    serve(tmp_path, "c", ["birds"], DEAD, {DEAD: {"stable": 1}})
    serve(tmp_path, "d", ["fish"], me, {me: {}})
    serve(tmp_path, "e", ["birds"], me, {})
    found = [(worker.service, worker.alias, worker.pid) for worker in services.workers("birds")]
    assert found == [("a", "staging", me), ("e", "production", 0)]


@pytest.mark.parametrize(
    ("alias", "said", "late"),
    [
        ("production", {"stable": 2}, False),
        ("production", {"stable": 1}, True),
        ("canary", {"stable": 1, "canary": 2}, False),
        ("canary", {"stable": 1, "canary": None}, True),
        ("canary", {"stable": 2, "canary": None}, False),
        ("shadow", {"stable": 1, "shadow": 2}, False),
        ("staging", {"stable": 1}, False),
    ],
)
def test_a_worker_follows_in_the_role_of_the_alias(
    alias: str, said: dict[str, Any], late: bool, tmp_path: Path, services: Services
) -> None:
    """An alias without a meaning for the service is not waited for, nor a canary that answers anyway."""
    serve(tmp_path, "a", ["birds"], os.getpid(), {os.getpid(): said})
    found = services.wait("birds", alias, 2, 0, lambda commit: True)
    assert bool(found.late) == late
    assert found.refused is None


def test_a_refusal_counts_from_who_saw_the_move(tmp_path: Path, services: Services) -> None:
    """What a worker said of the version before it looked at this move is of an earlier one."""
    said = {"stable": 1, "refused": {"version": 2, "why": "damaged"}}
    serve(tmp_path, "a", ["birds"], os.getpid(), {os.getpid(): said})
    assert services.wait("birds", "production", 2, 0, lambda commit: commit == "c1").refused == (
        "http://a: damaged"
    )
    assert services.wait("birds", "production", 2, 0, lambda commit: False).refused is None
    assert services.wait("birds", "production", 3, 0, lambda commit: True).refused is None


def test_waiting_ends_when_the_last_one_follows(tmp_path: Path) -> None:
    """It looks again and again until then."""
    serve(tmp_path, "a", ["birds"], os.getpid(), {os.getpid(): {"stable": 1}})
    file = tmp_path / "services" / "a" / f"worker-{os.getpid()}.json"
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            file.write_text(file.read_text().replace('"stable": 1', '"stable": 2'))

    found = Services(tmp_path, sleep).wait("birds", "production", 2, 3600, lambda commit: True)
    assert (found.workers, found.late, len(looks)) == (1, (), 3)


def judge(services: Services, **bounds: Any) -> dict[str, tuple[Any, bool]]:
    checks = services.judge_canary("birds", 2, CanarySettings(**bounds))
    return {check["metric"]: (check["found"], check["passed"]) for check in checks}


def test_a_canary_is_judged_by_all_its_workers(tmp_path: Path, services: Services) -> None:
    """Requests and errors add up, latencies are means by requests; another canary does not count."""
    me = os.getpid()
    serve(tmp_path, "a", ["birds"], me, {me: {"canary": 2, "figures": FIGURES}})
    serve(tmp_path, "b", ["birds"], me, {me: {"canary": 2, "figures": FIGURES}})
    serve(tmp_path, "c", ["birds"], me, {me: {"canary": 1, "figures": FIGURES}})
    assert judge(services, min_requests=180, max_error_rate=0.02, max_latency_ratio=1.5) == {
        "canary requests": (180, True),
        "canary error rate": (2 / 180, True),
        "canary latency ratio": (1.5, True),
    }
    strict = judge(services, min_requests=181, max_error_rate=0.01, max_latency_ratio=1.4)
    assert [passed for _, passed in strict.values()] == [False, False, False]


def test_a_canary_that_nobody_serves_is_not_good(services: Services) -> None:
    """No figures are no good figures."""
    assert judge(services) == {
        "canary requests": (0, False),
        "canary error rate": (None, False),
        "canary latency ratio": (None, True),
    }
