"""`headrace lake branches|tag|pin|unpin|init`: names for commits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.core.ports import MAIN, LakeStore

from .conftest import Ask

Commit = Callable[..., str]
RUN = "20260102-030405-abcdef"


@pytest.fixture
def run_branch(lake: LakeStore, commit: Commit) -> str:
    """The branch of a run that failed; returns its head."""
    lake.create_branch(f"run-{RUN}", MAIN)
    return commit({f"runs/{RUN}/run.json": "{}"}, f"run-{RUN}", f"failed: run {RUN}", {"run": RUN})


def test_branches_say_what_their_last_commits_say(ask: Ask, run_branch: str) -> None:
    """A line has name, short commit, age, and the last message; a prefix narrows the list."""
    main, run = ask("lake", "branches").lines
    assert main.split()[0] == MAIN
    assert run.startswith(f"run-{RUN}  {run_branch[:12]}  ")
    assert run.endswith(f" s  failed: run {RUN}")
    (found,) = ask("lake", "branches", "run-", "--json").json
    assert (found["name"], found["commit"], found["metadata"]) == (f"run-{RUN}", run_branch, {"run": RUN})
    assert ask("lake", "branches", "nothing").lines == ["there is no such branch"]


def test_tags_are_created_listed_and_deleted(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """`tag NAME REF` names a commit, `tag` lists names, `tag -d NAME` takes one away."""
    made = commit({"a": "1"}, message="add a")
    commit({"a": "2"})
    assert ask("lake", "tag").lines == ["there are no tags"]
    assert ask("lake", "tag", "v1", "main~1").lines == [f"v1 is {made}"]
    assert lake.resolve("v1") == made
    assert ask("lake", "tag").lines[0].startswith(f"v1  {made[:12]}")
    assert ask("lake", "tag", "--json").json[0]["commit"] == made
    again = ask("lake", "tag", "v1", "main")
    assert (again.code, "exists" in again.err) == (1, True)
    assert ask("lake", "tag", "-d", "v1").lines == ["deleted tag v1"]
    assert ask("lake", "tag", "--json").json == []


def test_a_pin_is_a_tag_that_everybody_sees(ask: Ask, run_branch: str, lake: LakeStore) -> None:
    """A run is pinned by its id or its branch, once; unpinned, the tag is gone."""
    said = ask("lake", "pin", RUN)
    assert said.lines[-1] == f"headrace lake unpin run-{RUN}"
    assert [(tag.name, tag.commit) for tag in lake.tags()] == [(f"pin-run-{RUN}", run_branch)]
    assert ask("lake", "pin", f"run-{RUN}", "--json").json["created"] is False
    assert ask("lake", "unpin", RUN).lines == [f"run-{RUN} is no longer pinned"]
    assert list(lake.tags()) == []


def test_a_pin_names_the_run_that_was_meant(ask: Ask, run_branch: str) -> None:
    """A misspelt run id, to pin or to unpin, gets the one that is near."""
    wrong = RUN.replace("abc", "abd")
    assert f"did you mean run-{RUN}?" in ask("lake", "pin", wrong).err
    ask("lake", "pin", RUN)
    assert f"headrace lake unpin run-{RUN}" in ask("lake", "unpin", f"run-{wrong}").err


def test_init_says_whether_it_created_the_lake(ask: Ask) -> None:
    """The first time a lake is created, the second time it is there."""
    assert ask("lake", "init", "--json").json == {"created": True}
    assert ask("lake", "init").lines == ["the lake is there already"]


def test_only_what_gc_takes_is_pinned(ask: Ask, run_branch: str, lake: LakeStore) -> None:
    """`main` needs no pin, and a tag cannot look like one."""
    for words, hint in (
        (("pin", "main"), "main needs no pin"),
        (("tag", f"pin-run-{RUN}"), f"headrace lake pin run-{RUN}"),
    ):
        said = ask("lake", *words)
        assert (said.code, hint in said.err) == (2, True)
    assert lake.tags() == []
