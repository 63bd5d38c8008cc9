"""One step over lake, W&B and services: killed anywhere, the next command makes it whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.record_files import RunRecords
from headrace.core.ports import LakeStore
from headrace.deploy.earlier import finish_earlier
from headrace.deploy.journal import Journal
from headrace.errors import AliasMoved, DeploymentUndone, DeploymentUnfinished
from headrace.registry import history, holder, move_alias
from tests.deploy.birds import LATE, make_step, make_versions, plan, plan_late, registry, serve
from tests.lakefs_server import connect, server

__all__ = ["server"]


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    found = EmbeddedLake(tmp_path / "lake")
    make_versions(found, tmp_path)
    return found


def killed(root: Path, point: str, action: str = "move") -> None:
    """Deploy in a process that kills itself at a point."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.deploy.birds", str(root), point, action]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def moves(lake: LakeStore) -> list[tuple[int | None, int | None, str]]:
    """Return the moves since the versions were published."""
    return [(one["from"], one["to"], one["why"]) for one in history(registry(lake))][3:]


def pending(root: Path, run_id: str) -> list[tuple[str, bool]]:
    """Return what is left to do in W&B: aliases, and whether they name nothing any more."""
    left = RunRecords(root / "runs").read(run_id).wandb["pending"]
    return [(entry["alias"], entry["gone"]) for entry in left if entry["kind"] == "move"]


def states(root: Path) -> list[str]:
    return [one.state for one in Journal(root / "deployments").read_all()]


@pytest.mark.parametrize("point", ["planned", "merging"])
def test_before_the_lake_nothing_has_happened(point: str, lake: LakeStore, tmp_path: Path) -> None:
    """A command that was killed before its commit is forgotten, with what it left beside `main`."""
    head = lake.resolve("main")
    killed(tmp_path, point)
    told: list[str] = []
    (ended,) = finish_earlier(make_step(tmp_path, told=told), "birds")
    assert (ended.state, states(tmp_path)) == ("undone", [])
    assert lake.resolve("main") == head
    assert [branch.name for branch in lake.branches("alias-")] == []
    assert pending(tmp_path, "r1") == []
    assert told == [
        "earlier: birds@production: version 3 → version 1  (run r1): "
        "was not in the lake yet, so it is forgotten"
    ]


@pytest.mark.parametrize("point", ["merged", "moved", "lake", "told", "wandb", "service"])
def test_after_the_lake_the_rest_follows(point: str, lake: LakeStore, tmp_path: Path) -> None:
    """A command that was killed after its commit is finished: one move, W&B told once, and nothing open."""
    killed(tmp_path, point)
    (ended,) = finish_earlier(make_step(tmp_path), "birds")
    assert (ended.state, states(tmp_path)) == ("done", ["done"])
    assert moves(lake) == [(3, 1, "promote")]
    assert pending(tmp_path, "r1") == [("production", False)]
    assert finish_earlier(make_step(tmp_path), "birds") == []


@pytest.mark.parametrize("point", ["wandb", "taken back", "undone"])
def test_a_refusal_is_undone_to_its_end(point: str, lake: LakeStore, tmp_path: Path) -> None:
    """A command that was killed while it took an alias back is finished: it is back, in W&B too."""
    killed(tmp_path, point, "refused")
    (ended,) = finish_earlier(make_step(tmp_path), "birds")
    assert (ended.state, states(tmp_path)) == ("undone", ["undone"])
    assert moves(lake) == [(3, 1, "promote"), (1, 3, "undo")]
    assert pending(tmp_path, "r3") == [("production", False)]
    assert finish_earlier(make_step(tmp_path), "birds") == []


@pytest.mark.parametrize(("point", "versions"), [("merging", 3), ("merged", 4), ("moved", 4)])
def test_a_run_is_published_once(point: str, versions: int, lake: LakeStore, tmp_path: Path) -> None:
    """Killed while a run was being published, it is a version or none; the same command makes it one."""
    RunRecords(tmp_path / "runs").write(plan_late(lake)[1])
    killed(tmp_path, point, "publish")
    finish_earlier(make_step(tmp_path), "birds")
    assert len(registry(lake)["versions"]) == versions
    if versions == 3:
        make_step(tmp_path).carry_out(*plan_late(lake, "d2"))
    found = registry(lake)
    assert [one["run"] for one in found["versions"]] == ["r1", "r2", "r3", LATE]
    assert holder(found, "production") == 4
    published = RunRecords(tmp_path / "runs").read(LATE).published
    assert published is not None
    assert published["version"] == 4
    assert lake.resolve("birds-v4")


@pytest.fixture(params=["embedded", "lakefs"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> LakeStore:
    """Both lakes."""
    found: LakeStore = EmbeddedLake(tmp_path / "lake")
    if request.param == "lakefs":
        found = connect(request.getfixturevalue("server"), tmp_path / "cache")
    make_versions(found, tmp_path)
    return found


def test_a_deployment_is_done_in_order(either: LakeStore, tmp_path: Path) -> None:
    """Lake, W&B, services: each is told when it is done, on either lake."""
    told: list[str] = []
    points: list[str] = []
    done = make_step(tmp_path, either, points.append, told).carry_out(plan(forced="a demo"))
    assert done.state == "done"
    assert points == ["planned", "moved", "lake", "told", "wandb", "service"]
    assert [line.partition(":")[0] for line in told] == ["alias", "lake", "W&B", "service"]
    assert told[-1] == "service: none is running here that answers by it"
    entry = history(registry(either))[-1]
    assert (entry["to"], entry["deployment"], entry["forced"]) == (1, "d1", "a demo")


def test_a_run_is_published_on_either_lake(either: LakeStore, tmp_path: Path) -> None:
    """Version, alias and history are one merge; what an earlier try left on the run's branch is dropped."""
    late = plan_late(either)
    either.put(f"run-{LATE}", "models/birds/registry.json", b"half")
    done = make_step(tmp_path, either).carry_out(*late)
    assert (done.to, holder(registry(either), "production")) == (4, 4)
    assert moves(either) == [(3, 4, "promote")]


def test_a_decision_that_is_out_of_date_leaves_nothing(lake: LakeStore, tmp_path: Path) -> None:
    """Where the alias moved since it was judged, nothing is done, and no journal says otherwise."""
    move_alias(lake, "birds", "production", 2)
    with pytest.raises(AliasMoved):
        make_step(tmp_path).carry_out(plan())
    assert (states(tmp_path), holder(registry(lake), "production")) == ([], 2)


def following(lake: LakeStore, root: Path, at: str, **said: Any) -> Callable[[str], None]:
    """Return a hook by which a service of this process says something once a point is reached."""
    return lambda point: serve(root, lake, os.getpid(), **said) if point == at else None


def test_a_service_that_follows_is_waited_for(lake: LakeStore, tmp_path: Path) -> None:
    """The deployment is done when the worker says that it has the version."""
    serve(tmp_path, lake, os.getpid())
    told: list[str] = []
    make_step(tmp_path, at=following(lake, tmp_path, "wandb", stable=1), told=told).carry_out(plan())
    assert told[-1] == "service: 1 worker of http://s1: version 1"


def test_a_service_that_refuses_sends_the_alias_back(lake: LakeStore, tmp_path: Path) -> None:
    """Its reason is told, the alias is where it was, and W&B's too; an old refusal does not count."""
    refused = {"version": 1, "why": "its package is damaged"}
    serve(tmp_path, lake, os.getpid(), refused=refused)  # of an earlier move
    with pytest.raises(DeploymentUnfinished, match=r"not followed yet by http://s1"):
        make_step(tmp_path).carry_out(plan())
    serve(tmp_path, lake, os.getpid(), refused=refused)
    move_alias(lake, "birds", "production", 3)
    step = make_step(tmp_path, at=following(lake, tmp_path, "wandb", refused=refused))
    finish_earlier(step, "birds")
    with pytest.raises(DeploymentUndone, match="its package is damaged\nbirds@production is version 3 again"):
        step.carry_out(plan("d2"))
    assert moves(lake)[-1] == (1, 3, "undo")
    assert pending(tmp_path, "r3")[-1] == ("production", False)
    assert states(tmp_path) == ["done", "undone"]


def test_what_was_no_alias_before_is_none_again(lake: LakeStore, tmp_path: Path) -> None:
    """A canary that a service sends away at once is removed, with its share."""
    hook = following(lake, tmp_path, "wandb", canary_returned="version 1: 7 of 7 requests failed")
    canary = plan(alias="canary", start=None, share=0.5)
    with pytest.raises(DeploymentUndone, match="birds@canary is nothing again"):
        make_step(tmp_path, at=hook).carry_out(canary)
    assert (registry(lake)["aliases"], registry(lake)["shares"]) == ({"production": 3}, {})
    assert pending(tmp_path, "r1") == [("canary", False), ("canary", True)]


def test_a_service_that_lags_leaves_it_open(lake: LakeStore, tmp_path: Path) -> None:
    """The alias stays moved, the next command looks again, and does not wait for what moves anyway."""
    serve(tmp_path, lake, os.getpid())
    with pytest.raises(DeploymentUnfinished, match="the next flows"):
        make_step(tmp_path).carry_out(plan())
    assert states(tmp_path) == ["wandb"]
    told: list[str] = []
    assert finish_earlier(make_step(tmp_path, told=told), "birds") == []
    assert "not followed yet" in told[-1]
    (ended,) = finish_earlier(make_step(tmp_path, wait_seconds=3600), "birds", "production")
    assert ended.said.startswith("superseded")
    serve(tmp_path, lake, os.getpid(), stable=2)


def test_a_move_that_is_over_is_not_waited_for(lake: LakeStore, tmp_path: Path) -> None:
    """Where the alias moved on since, an earlier command has nothing more to finish."""
    serve(tmp_path, lake, os.getpid())
    with pytest.raises(DeploymentUnfinished):
        make_step(tmp_path).carry_out(plan())
    move_alias(lake, "birds", "production", 2)
    (ended,) = finish_earlier(make_step(tmp_path, wait_seconds=3600), "birds")
    assert (ended.state, ended.said) == ("done", "the alias moved on")
    assert holder(registry(lake), "production") == 2


def test_a_promoted_canary_is_done_with(lake: LakeStore, tmp_path: Path) -> None:
    """One commit moves production and takes the canary away; W&B follows in both."""
    move_alias(lake, "birds", "canary", 1, share=0.1)
    before = lake.resolve("main")
    make_step(tmp_path).carry_out(plan(clears=("canary",)))
    assert lake.log("main", limit=1, first_parent=True)[0].parents[0] == before
    assert registry(lake)["aliases"] == {"production": 1}
    assert pending(tmp_path, "r1") == [("production", False), ("canary", True)]


def test_a_promoted_canary_that_is_refused_is_the_canary_again(lake: LakeStore, tmp_path: Path) -> None:
    """One commit takes both aliases back, with the share of the traffic; W&B follows in both."""
    move_alias(lake, "birds", "canary", 1, share=0.25)
    serve(tmp_path, lake, os.getpid())
    refused = {"version": 1, "why": "its package is damaged"}
    step = make_step(tmp_path, at=following(lake, tmp_path, "wandb", refused=refused))
    with pytest.raises(DeploymentUndone, match="birds@production is version 3 again"):
        step.carry_out(plan(clears=("canary",)))
    found = registry(lake)
    assert (found["aliases"], found["shares"]) == ({"production": 3, "canary": 1}, {"canary": 0.25})
    assert moves(lake)[-2:] == [(1, 3, "undo"), (None, 1, "undo")]
    assert pending(tmp_path, "r1")[-1] == ("canary", False)
