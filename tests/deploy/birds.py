"""A lake with versions of a model, without any run: what deploying a version takes and no more.

As a program it deploys and is killed on the way: python -m tests.deploy.birds ROOT POINT ACTION.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.record_files import RunRecords
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.digest import digest_listing
from headrace.core.ports import MAIN, LakeStore
from headrace.core.record import RunRecord
from headrace.core.spec import PublishSpec
from headrace.deploy.journal import Deployment, Journal
from headrace.deploy.mirror import WandbMirror
from headrace.deploy.services import Services
from headrace.deploy.step import Step
from headrace.publish import publish_run
from headrace.registry import read_registry

SPEC = PublishSpec(model="birds", package="model", gate="gate", alias="production")
LATE = "r9"  # a run that published nothing


def make_step(
    root: Path,
    lake: LakeStore | None = None,
    at: Callable[[str], None] = lambda point: None,
    told: list[str] | None = None,
    wait_seconds: float = 0.0,
) -> Step:
    lake = lake or EmbeddedLake(root / "lake")
    said = [] if told is None else told
    return Step(
        lake=lake,
        journal=Journal(root / "deployments"),
        services=Services(root, sleep=lambda seconds: None),
        mirror=WandbMirror(root=root, identity=lake.identity, seconds=5, environ={"WANDB_MODE": "offline"}),
        records=RunRecords(root / "runs"),
        wait_seconds=wait_seconds,
        tell=lambda what, text: said.append(f"{what}: {text}"),
        at=at,
    )


def make_record(run_id: str, **fields: Any) -> RunRecord:
    """Make the record of a run that was logged to W&B offline."""
    wandb = {"project": "beaks", "entity": "me", "id": run_id, "dir": "x", "pending": []}
    known: dict[str, Any] = {
        "id": run_id, "experiment": "birds", "pipeline": "train", "command": "", "state": "succeeded",
        "started": "2026-11-24T10:00:00+00:00", "seconds": 1.0, "seed": 1, "config": {}, "git": {},
        "packages": {}, "source": {"commit": ""}, "resume": "python -m flows.train", "wandb": wandb,
    }  # fmt: skip
    return RunRecord(**{**known, **fields})


def make_package(lake: LakeStore, run_id: str, text: str) -> Artifact:
    """Do what a run does before it publishes: a branch with a committed package."""
    branch, path = f"run-{run_id}", f"runs/{run_id}/package/model"
    lake.create_branch(branch, MAIN)
    info = lake.put(branch, f"{path}/weights", text.encode())
    uri = lake_uri(lake.commit(branch, "package").id, path)
    return Artifact(digest=digest_listing([("weights", info.digest)]), bytes=1, codec="files", uri=uri)


def make_versions(lake: LakeStore, root: Path, count: int = 3) -> None:
    """Publish versions of a model, by the runs r1, r2 and so on."""
    for number in range(1, count + 1):
        run_id = f"r{number}"
        package = make_package(lake, run_id, str(number))
        publish_run(lake, run_id, SPEC, package, {"accuracy": number / 10}, b"{}", {})
        RunRecords(root / "runs").write(make_record(run_id))


def registry(lake: LakeStore) -> dict[str, Any]:
    return read_registry(lake, lake.resolve(MAIN), "birds")


def plan(deployment_id: str = "d1", to: int | None = 1, **fields: Any) -> Deployment:
    known: dict[str, Any] = {
        "model": "birds",
        "alias": "production",
        "why": "promote",
        "start": 3,
        "run": "r1",
    }
    started = "2026-11-24T10:00:00+00:00"
    return Deployment(**{**known, "run": "r1", "id": deployment_id, "to": to, "started": started, **fields})


def plan_late(lake: LakeStore, deployment_id: str = "d1") -> tuple[Deployment, RunRecord, Artifact]:
    """Plan to publish a run; its package is there or made now."""
    found = [branch for branch in lake.branches(f"run-{LATE}") if branch.name == f"run-{LATE}"]
    if not found:
        make_package(lake, LATE, "late")
    path = f"runs/{LATE}/package/model"
    base = next(c.id for c in lake.log(f"run-{LATE}@") if c.message == "package" and has(lake, c.id, path))
    info = lake.stat(base, f"{path}/weights")
    digest = digest_listing([("weights", info.digest)])
    package = Artifact(digest=digest, bytes=1, codec="files", uri=lake_uri(base, path))
    return plan(deployment_id, to=None, run=LATE, publishes=True), make_record(LATE), package


def has(lake: LakeStore, ref: str, path: str) -> bool:
    return any(True for _ in lake.list(ref, prefix=path))


def serve(root: Path, lake: LakeStore, pid: int, name: str = "s1", **said: Any) -> None:
    """Let a service tell of itself, with one worker: it has looked at the lake as it is now."""
    folder = root / "services" / name
    folder.mkdir(parents=True, exist_ok=True)
    about = {"id": name, "pid": pid, "url": f"http://{name}", "models": ["birds"], "started": ""}
    (folder / "service.json").write_text(json.dumps(about))
    told = {"commit": lake.resolve(MAIN), "stable": 3, "canary": None, "shadow": None, "refused": None}
    worker = {"pid": pid, "models": {"birds": {**told, **said}}}
    (folder / f"worker-{pid}.json").write_text(json.dumps(worker))


class KillingLake:
    """A lake that is lost just before the merge into `main`, or just after it."""

    def __init__(self, lake: LakeStore, at: Callable[[str], None]) -> None:
        self._lake = lake
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def merge(self, source: str, dest: str, *rest: Any) -> Any:
        if dest != MAIN:
            return self._lake.merge(source, dest, *rest)
        self._at("merging")
        merged = self._lake.merge(source, dest, *rest)
        self._at("merged")
        return merged


def main(root: Path, point: str, action: str) -> None:
    lake = EmbeddedLake(root / "lake")

    def at(name: str) -> None:
        if action == "refused" and name == "wandb":
            serve(root, lake, os.getppid(), refused={"version": 1, "why": "it does not load"})
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    killing: Any = KillingLake(lake, at)
    step = make_step(root, killing, at)
    if action == "publish":
        step.carry_out(*plan_late(lake))
    else:
        step.carry_out(plan())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
