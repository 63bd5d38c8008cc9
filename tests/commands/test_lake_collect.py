"""`headrace lake gc`: what goes, what stays, and that a dry run does not lie."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.adapters.record_files import RunRecords
from headrace.adapters.scratch_folders import ScratchFolders
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.ports import MAIN, LakeStore
from headrace.core.record import RunRecord, StageRecord

from .conftest import Ask

Commit = Callable[..., str]
OLD, OLDER, YOUNG = "20200101-000000-aaaaaa", "20200101-000000-bbbbbb", "20990101-000000-cccccc"


@pytest.fixture
def branch(lake: LakeStore, commit: Commit) -> Callable[[str], str]:
    """Create a branch with an object of its own, now; its name says when it began."""

    def make(name: str) -> str:
        lake.create_branch(name, MAIN)
        return commit({f"only/{name}": f"only on {name}", "shared": "everywhere"}, name)

    return make


@pytest.fixture
def all_is_old() -> list[str]:
    """With this time to live what was committed a moment ago is old; names in the future are not."""
    return ["lake", "gc", "--older-than", "0h"]


def make_record(run_id: str, state: str, outputs: dict[str, Artifact] | None = None) -> RunRecord:
    stage = StageRecord(name="load", state="cached", outputs=outputs or {})
    return RunRecord(
        id=run_id,
        experiment="toy",
        pipeline="train",
        command="",
        state=state,
        started="2026-01-01T00:00:00+00:00",
        seconds=0.0,
        seed=0,
        config={},
        git={},
        packages={},
        source={},
        resume="",
        stages=[stage],
    )


def names(lake: LakeStore) -> set[str]:
    return {found.name for found in lake.branches()}


def kept(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {item["name"]: item["why"] for item in found["kept"]}


def test_a_dry_run_lists_exactly_what_a_real_run_deletes(
    ask: Ask, branch: Callable[[str], str], commit: Commit, lake: LakeStore, all_is_old: list[str]
) -> None:
    """Branches, digests and bytes of the dry run are those of the real run, and of the files gone."""
    commit({"stays": "1"})
    for name in (f"run-{OLD}", f"run-{OLDER}", f"run-{YOUNG}", "import-20200101-000000-dddddd", "mine"):
        branch(name)
    lake.put(f"run-{OLD}", "staged", b"never committed")
    lake.put(MAIN, "loose", b"put and thrown away")
    lake.reset(MAIN)
    ask("lake", "pin", OLDER)
    refs, objects = names(lake), stored(lake)
    planned = ask(*all_is_old, "--dry-run", "--json").json
    assert (names(lake), stored(lake)) == (refs, objects)
    done = ask(*all_is_old, "--json").json
    assert {**planned, "dry_run": False} == done
    assert {item["name"] for item in done["branches"]} == refs - names(lake)
    assert {item["name"] for item in done["branches"]} == {f"run-{OLD}", "import-20200101-000000-dddddd"}
    assert set(done["digests"]) == {f"sha256:{digest}" for digest in set(objects) - set(stored(lake))}
    assert len(done["digests"]) == done["objects"] == 4
    assert done["bytes"] == sum(size for digest, size in objects.items() if digest not in stored(lake))
    assert kept(done) == {f"run-{OLDER}": "pinned", f"run-{YOUNG}": "young"}
    assert ask(*all_is_old, "--json").json["objects"] == 0


def stored(lake: LakeStore) -> dict[str, int]:
    """Return the sizes of the lake's object files by sha256."""
    files = [path for path in lake.root.rglob("*") if path.is_file() and len(path.name) >= 60]
    return {(path.parent.name + path.name)[-64:]: path.stat().st_size for path in files}


def test_gc_tells_people_what_went_and_what_stays(
    ask: Ask, branch: Callable[[str], str], all_is_old: list[str]
) -> None:
    """A line for each branch with its age, the count of objects and bytes, and why others stay."""
    head = branch(f"run-{OLD}")
    branch(f"run-{YOUNG}")
    for verb, words in (("would delete", ["--dry-run"]), ("deleted", [])):
        branches, *counts = ask(*all_is_old, *words).lines
        assert re.fullmatch(rf"{verb} branch  {head[:12]} +[0-9]+ s  run-{OLD}", branches)
        assert counts == [f"{verb} 1 branch, 1 object, 34 B", "kept 1 branch: 1 younger than 0 s"]


def test_what_is_committed_now_is_young(ask: Ask, branch: Callable[[str], str]) -> None:
    """By default a branch lives for 14 days after its last commit, however old its name is."""
    branch(f"run-{OLD}")
    assert kept(ask("lake", "gc", "--json").json) == {f"run-{OLD}": "young"}


def test_a_run_that_has_not_committed_yet_is_as_young_as_its_name(
    ask: Ask, lake: LakeStore, all_is_old: list[str]
) -> None:
    """A new branch stands at an old commit of main: the time in its name is what counts."""
    lake.create_branch(f"run-{YOUNG}", MAIN)
    assert kept(ask(*all_is_old, "--json").json) == {f"run-{YOUNG}": "young"}


def test_what_deployments_and_services_left_goes_too(
    ask: Ask, branch: Callable[[str], str], lake: LakeStore, all_is_old: list[str]
) -> None:
    """A machine that died while it moved an alias or committed predictions leaves a branch behind."""
    for name in (f"alias-{OLD}-promote", "predictions-w1", "mine"):
        branch(name)
    assert len(ask(*all_is_old, "--json").json["branches"]) == 2
    assert names(lake) == {MAIN, "mine"}


def test_a_prefix_narrows_and_never_widens(
    ask: Ask, branch: Callable[[str], str], lake: LakeStore, all_is_old: list[str]
) -> None:
    """--prefix chooses among the branches of runs and imports; other branches are never judged."""
    for name in (f"run-{OLD}", f"import-{OLD}", "mine"):
        branch(name)
    assert ask(*all_is_old, "--prefix", "mine", "--json").json["branches"] == []
    (gone,) = ask(*all_is_old, "--prefix", "import-", "--json").json["branches"]
    assert gone["name"] == f"import-{OLD}"
    assert names(lake) == {MAIN, "mine", f"run-{OLD}"}


def test_a_run_that_goes_on_keeps_its_branch_and_what_it_reads(
    ask: Ask, branch: Callable[[str], str], project: Path, all_is_old: list[str]
) -> None:
    """While a run holds its lock its branch stays, and that of the run whose artifact it reuses."""
    head = branch(f"run-{OLDER}")
    branch(f"run-{OLD}")
    path = f"runs/{OLDER}/load/rows.json"
    used = Artifact(digest="sha256:0", bytes=1, codec="json", uri=lake_uri(head, path))
    RunRecords(project / ".headrace" / "runs").write(make_record(OLD, "running", {"rows": used}))
    with ScratchFolders(project / ".headrace" / "scratch").open(OLD):
        found = ask(*all_is_old, "--json").json
        assert kept(found) == {f"run-{OLD}": "running", f"run-{OLDER}": "running"}
    # Its stages are done and its record is about to be written.
    assert kept(ask(*all_is_old, "--json").json) == {f"run-{OLD}": "running"}
    RunRecords(project / ".headrace" / "runs").write(make_record(OLD, "failed"))
    assert kept(ask(*all_is_old, "--json").json) == {}


def test_a_killed_run_keeps_nothing(
    ask: Ask, branch: Callable[[str], str], project: Path, all_is_old: list[str]
) -> None:
    """A lock that nobody holds is no sign of life, whatever the record says."""
    branch(f"run-{OLD}")
    RunRecords(project / ".headrace" / "runs").write(make_record(OLD, "running"))
    scratch = project / ".headrace" / "scratch"
    scratch.mkdir()
    (scratch / f"{OLD}.lock").touch()
    (gone,) = ask(*all_is_old, "--json").json["branches"]
    assert gone["name"] == f"run-{OLD}"


def test_a_pinned_branch_goes_once_it_is_unpinned(
    ask: Ask, branch: Callable[[str], str], lake: LakeStore, all_is_old: list[str]
) -> None:
    """A pin keeps a branch for as long as it is there."""
    branch(f"run-{OLD}")
    ask("lake", "pin", OLD)
    ask(*all_is_old)
    assert f"run-{OLD}" in names(lake)
    ask("lake", "unpin", OLD)
    ask(*all_is_old)
    assert f"run-{OLD}" not in names(lake)


@pytest.mark.parametrize("wrong", ["14", "d", "-1d", "1.5d", "14 days", "²d"])
def test_a_wrong_time_to_live_says_how_to_write_one(wrong: str, ask: Ask) -> None:
    """A span of time that is none ends with exit code 2 before anything is looked at."""
    said = ask("lake", "gc", f"--older-than={wrong}")
    assert said.code == 2
    assert "write 12h, 14d or 8w" in said.err
