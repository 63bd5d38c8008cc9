"""A small project whose judge compares with the champion, for the tests of deploying."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN, LakeStore
from headrace.deploy.journal import Journal
from headrace.registry import history, read_registry
from tests.toy import Toy, toy

__all__ = ["toy"]

JUDGE = """
def judge(doubled: list, count: dict, limit: int = 100, champion: dict | None = None):
    CALLS.append("judge")
    old = sum(champion["weights"]) if champion else None
    check = {"metric": "total", "rule": "min_gain", "wanted": 0,
             "found": None if old is None else sum(doubled) - old, "detail": "",
             "passed": old is None or sum(doubled) >= old}
    return {"gate": {"passed": check["passed"], "checks": [check]}, "metrics": {"total": sum(doubled)}}

def pack(doubled: list):
    CALLS.append("pack")
    return {"model": {"weights": doubled}}
"""


class Arena:
    """A toy project; `factor` decides how good a run is: its total is six times that."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.root = toy.folder / ".headrace"

    def run(self, factor: int, *overrides: str) -> str:
        """Run with a factor, and return the run's id."""
        record, _ = self.toy.run(f"stages.double.params.factor={factor}", *overrides)
        return record.id

    @property
    def lake(self) -> LakeStore:
        return EmbeddedLake(self.root / "lake")

    def registry(self) -> dict[str, Any]:
        return read_registry(self.lake, self.lake.resolve(MAIN), "toy")

    def aliases(self) -> dict[str, int]:
        return dict(self.registry()["aliases"])

    def last(self) -> dict[str, Any]:
        """Return the newest entry of the history."""
        return history(self.registry())[-1]

    def journal(self) -> Journal:
        return Journal(self.root / "deployments")

    def states(self) -> list[str]:
        return [one.state for one in self.journal().read_all()]

    def serve(self, name: str = "s1", pid: int | None = None, **said: Any) -> Path:
        """Let a service tell of itself, with one worker that is this very process."""
        folder = self.root / "services" / name
        folder.mkdir(parents=True, exist_ok=True)
        pid = os.getpid() if pid is None else pid
        about = {"id": name, "pid": pid, "url": f"http://{name}", "models": ["toy@production"]}
        (folder / "service.json").write_text(json.dumps({**about, "started": ""}))
        told = {"commit": self.lake.resolve(MAIN), "stable": None, "canary": None, "shadow": None}
        worker = {"pid": pid, "models": {"toy": {**told, "refused": None, "canary_returned": None, **said}}}
        (folder / f"worker-{pid}.json").write_text(json.dumps(worker))
        return folder


@pytest.fixture
def arena(toy: Toy) -> Iterator[Arena]:
    start = toy.code.index("def judge")
    toy.code = toy.code[:start] + dedent(JUDGE).lstrip()
    file = toy.folder / "conf" / "experiment" / "toy.yaml"
    text = file.read_text().replace("inputs: {doubled: doubled, gate: gate}", "inputs: {doubled: doubled}")
    text = text.replace(
        "inputs: {doubled: doubled, count: count}",
        'inputs: {doubled: doubled, count: count, champion: "champion:"}',
    )
    file.write_text(text)
    toy.write()
    return Arena(toy)


Deploy = Callable[..., int]


@pytest.fixture
def deploy(arena: Arena) -> Deploy:
    """Deploy the toy with some words; returns the exit code, as the shell would see it."""
    from flows.deploy import run_deploy
    from headrace.entry import tell_error
    from headrace.errors import HeadraceError

    def run(*words: str) -> int:
        try:
            return run_deploy(["model=toy", *words])
        except HeadraceError as error:
            return tell_error(error)

    return run
