"""`headrace lake --lake lakefs`, against the stand-in for a lakeFS server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.core.ports import MAIN
from headrace.project import open_lake
from headrace.testing.lakefs import StandInServer

from .conftest import Ask

LAKEFS = ("--lake", "lakefs")
OLD = "run-20200101-000000-aaaaaa"
FOREVER = "run-20990101-000000-bbbbbb"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    """A stand-in without a repository; the environment says where it is, as it does for lakectl."""
    with StandInServer() as running:
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", running.endpoint)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", running.access_key_id)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", running.secret_access_key)
        monkeypatch.setenv("HEADRACE_LAKE_REPOSITORY", "demo")
        yield running
        assert running.violations == []


def test_init_creates_the_repository(ask: Ask, server: StandInServer) -> None:
    """A missing repository is an error that says to type `init`, which creates it once."""
    missing = ask("lake", "log", *LAKEFS)
    assert missing.code == 1
    assert "headrace lake init" in missing.err
    place = ("-o", "lake.storage_namespace=local://demo")
    assert ask("lake", "init", *LAKEFS, *place, "--json").json == {"created": True}
    assert ask("lake", "init", *LAKEFS).lines == ["the lake is there already"]
    assert len(ask("lake", "log", *LAKEFS).lines) == 1


def test_questions_have_the_same_answers(ask: Ask, server: StandInServer, project: Path) -> None:
    """Commits, diffs, objects and tags of a server read as those of the embedded lake do."""
    server.create_repository("demo")
    (project / "in").mkdir()
    (project / "in" / "a.csv").write_text("size\n1\n")
    imported = ask("lake", "import", "in", "raw", "--message", "sizes", *LAKEFS)
    assert imported.code == 0
    assert imported.lines[-1].endswith(" --lake lakefs")  # the command to type next is for this lake
    assert ask("lake", "log", "-n", "1", *LAKEFS).lines[0].endswith("Z  sizes")
    assert ask("lake", "diff", "main~1", MAIN, *LAKEFS).lines == ["+ raw/a.csv"]
    assert ask("lake", "show", MAIN, "raw/a.csv", "--json", *LAKEFS).json["bytes"] == 7
    ask("lake", "tag", "v1", MAIN, *LAKEFS)
    assert [tag["name"] for tag in ask("lake", "tag", "--json", *LAKEFS).json] == ["v1"]
    assert ask("lake", "revert", MAIN, *LAKEFS).lines[-1] == "- raw/a.csv"
    unknown = ask("lake", "log", "mian", *LAKEFS)
    assert (unknown.code, "did you mean main?" in unknown.err) == (1, True)


def test_a_collection_deletes_branches_and_says_what_the_server_must_do(
    ask: Ask, server: StandInServer
) -> None:
    """A dry run lists what a real run deletes; the bytes are left to the server, which is said."""
    server.create_repository("demo")
    lake = open_lake(["lake=lakefs"])
    for name in (OLD, FOREVER):
        lake.create_branch(name, MAIN)
        lake.put(name, f"only/{name}", name.encode())
        lake.commit(name, "a stage")
    words = ("lake", "gc", "--older-than", "0h", *LAKEFS)
    planned = ask(*words, "--dry-run", "--json").json
    assert [branch.name for branch in lake.branches()] == [MAIN, OLD, FOREVER]
    done = ask(*words, "--json").json
    assert {**planned, "dry_run": False} == done
    assert [item["name"] for item in done["branches"]] == [OLD]
    assert [branch.name for branch in lake.branches()] == [MAIN, FOREVER]
    assert done["kept_by_server"]
    assert done["kept_by_server"].split("\n")[0] in ask(*words).out
