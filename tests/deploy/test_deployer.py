"""Deployments side by side, and what the next one does about those before it."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.deploy import parse
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.record_files import RunRecords
from headrace.adapters.stat_cache import StatCache
from headrace.core.code import CodeIndex
from headrace.core.ports import LakeStore
from headrace.deploy.checks import Checks
from headrace.deploy.deployer import Deployer
from headrace.deploy.journal import Journal
from headrace.deploy.late import read_lake_record
from headrace.deploy.settings import DeploySettings
from headrace.errors import RunNotFound
from headrace.registry import history
from tests.deploy.birds import make_record, make_step, make_versions, plan, registry


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    found = EmbeddedLake(tmp_path / "lake")
    make_versions(found, tmp_path)
    return found


def make_deployer(root: Path, told: list[str] | None = None) -> Deployer:
    step = make_step(root, told=told)
    find = partial(read_lake_record, step.lake)
    index = CodeIndex(StatCache(root / "files.json").remember)
    checks = Checks(
        lake=step.lake, codecs=(), services=step.services, find_run=find, index=index,
        scratch=root / "scratch", tell=step.tell,
    )  # fmt: skip
    return Deployer(step=step, checks=checks, find_run=find)


def ask(*words: str) -> DeploySettings:
    return parse(["model=birds", *words])[0]


def test_several_at_once_are_all_done(lake: LakeStore, tmp_path: Path) -> None:
    """On one machine they wait for each other; none is lost, and each is in the history once."""
    asked = [ask(f"version={1 + number % 3}", f"alias=a{number}") for number in range(6)]
    failed: list[Exception] = []

    def deploy(settings: DeploySettings) -> None:
        try:
            make_deployer(tmp_path).deploy(settings)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=deploy, args=(settings,)) for settings in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    aliases = {f"a{number}": 1 + number % 3 for number in range(6)}
    assert registry(lake)["aliases"] == {"production": 3, **aliases}
    assert sorted(move["alias"] for move in history(registry(lake))[3:]) == sorted(aliases)
    assert {one.state for one in Journal(tmp_path / "deployments").read_all()} == {"done"}


def test_the_next_command_finishes_the_one_before(lake: LakeStore, tmp_path: Path) -> None:
    """Also that of another model, unless somebody is at it."""
    journal = Journal(tmp_path / "deployments")
    journal.write(plan("d1"))
    journal.write(plan("d2", model="fish"))
    journal.write(plan("d3", model="frogs"))
    told: list[str] = []
    with journal.hold("frogs"):
        make_deployer(tmp_path, told).deploy(ask("version=2", "alias=staging"))
    assert [line for line in told if line.startswith("earlier: ")] == [
        "earlier: fish@production: version 3 → version 1  (run r1): "
        "was not in the lake yet, so it is forgotten",
        "earlier: birds@production: version 3 → version 1  (run r1): "
        "was not in the lake yet, so it is forgotten",
    ]
    assert [one.id for one in journal.unfinished()] == ["d3"]


def test_a_damaged_journal_is_passed_over(tmp_path: Path) -> None:
    """A file that is no deployment stops nothing, and neither does a key of a later version."""
    journal = Journal(tmp_path)
    journal.write(plan("d1"))
    text = (tmp_path / "d1.json").read_text()
    (tmp_path / "d0.json").write_text(text[:20])
    (tmp_path / "d2.json").write_text(text.replace('"format": 1', '"later": 2').replace('"d1"', '"d2"'))
    assert [one.id for one in journal.read_all()] == ["d1", "d2"]
    journal.forget("d1")
    journal.forget("d1")
    assert journal.read_all()[0] == plan("d2")


def test_a_version_whose_run_is_unknown_needs_a_reason(lake: LakeStore, tmp_path: Path) -> None:
    """Without its record nobody can ask its gate."""
    from headrace.deploy.gate import CannotAsk

    deployer = make_deployer(tmp_path)
    with pytest.raises(CannotAsk, match=r"the record of run r1 in the lake cannot be read"):
        deployer.deploy(ask("version=1"))
    assert deployer.deploy(ask("version=1", "force=a demo")) is not None


def test_records_in_the_lake_are_found(lake: LakeStore, tmp_path: Path) -> None:
    """On the run's branch first, which says how it ended; then on `main`."""
    records = RunRecords(tmp_path / "elsewhere")
    for branch, state in (("main", "failed"), ("run-r7", "rejected")):
        record: Any = make_record("r7", state=state)
        if branch != "main":
            lake.create_branch(branch, "main")
        lake.put(branch, "runs/r7/run.json", records.to_text(record).encode())
        lake.commit(branch, "a record")
    assert read_lake_record(lake, "r7").state == "rejected"
    lake.delete_branch("run-r7")
    assert read_lake_record(lake, "r7").state == "failed"
    with pytest.raises(RunNotFound, match="there is no run 'r8' here, nor in the lake"):
        read_lake_record(lake, "r8")
