"""`headrace lake log|diff|show|revert`: what people and programs read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from headrace.core.ports import MAIN, LakeStore

from .conftest import Ask

Commit = Callable[..., str]


def test_log_has_a_line_for_each_commit(ask: Ask, commit: Commit) -> None:
    """Newest first: short id, UTC time to the minute, the message's first line, run and stage."""
    first = commit({"a": "1"}, message="add a\n\nbecause")
    second = commit({"b": "1"}, message="more", metadata={"run": "r1", "stage": "train"})
    said = ask("lake", "log")
    assert said.code == 0
    newest, older, _ = said.lines
    assert newest.startswith(f"{second[:12]}  {datetime.now(UTC):%Y-}")
    assert newest.endswith("Z  more  (run r1, stage train)")
    assert older.startswith(first[:12])
    assert older.endswith("  add a")


def test_log_does_not_repeat_what_the_message_says(ask: Ask, commit: Commit) -> None:
    """A stage's own message names run and stage already."""
    commit({"a": "1"}, message="train of run r1", metadata={"run": "r1", "stage": "train"})
    assert ask("lake", "log", "-n", "1").lines[0].endswith("  train of run r1")


def test_log_as_json_is_whole(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """JSON has full ids, parents, metadata, the whole message and an ISO time in UTC."""
    parent = lake.resolve(MAIN)
    made = commit({"a": "1"}, message="add a\n\nbecause", metadata={"run": "r1"})
    newest, root = ask("lake", "log", "--json").json
    time = datetime.fromisoformat(newest.pop("time"))
    assert newest == {
        "id": made,
        "parents": [parent],
        "message": "add a\n\nbecause",
        "metadata": {"run": "r1"},
    }
    assert time.utcoffset() == UTC.utcoffset(None)
    assert root["parents"] == []


def test_log_follows_first_parents(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """With --first-parent a merge stands for what it brought; -n bounds either way."""
    lake.create_branch("side", MAIN)
    on_side = commit({"s": "1"}, "side")
    merged = lake.merge("side", MAIN, "bring side").id
    ids = [entry["id"] for entry in ask("lake", "log", "--json").json]
    assert on_side in ids
    own = [entry["id"] for entry in ask("lake", "log", "--json", "--first-parent").json]
    assert on_side not in own
    assert own[0] == merged
    assert len(ask("lake", "log", "-n", "2", "--json").json) == 2


def test_a_terminal_is_not_sent_what_others_wrote_for_it(ask: Ask, commit: Commit) -> None:
    """Control characters in a message do not reach the terminal."""
    commit({"a": "1"}, message="\x1b[2Jgone")
    assert "\x1b" not in ask("lake", "log").out


def test_diff_of_one_ref_is_what_a_merge_would_bring(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """Alone, a ref is compared with where it parted from main; conflicts are marked."""
    commit({"both": "0", "gone": "0", "mine": "0"})
    lake.create_branch("side", MAIN)
    commit({"both": "1", "gone": None, "mine": "1", "new": "1"}, "side")
    commit({"both": "2", "later": "1"})
    assert ask("lake", "diff", "side").lines == ["! both", "- gone", "~ mine", "+ new"]
    assert {"path": "both", "kind": "conflict"} in ask("lake", "diff", "side", "--json").json


def test_diff_of_two_refs_compares_their_states(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """Two refs differ by what the right one has; --three-dot and --prefix narrow that."""
    lake.create_branch("side", MAIN)
    commit({"data/x": "1", "y": "1"}, "side")
    commit({"later": "1"})
    assert ask("lake", "diff", MAIN, "side").lines == ["+ data/x", "- later", "+ y"]
    assert ask("lake", "diff", MAIN, "side", "--three-dot").lines == ["+ data/x", "+ y"]
    assert ask("lake", "diff", MAIN, "side", "--prefix", "data/").lines == ["+ data/x"]
    assert ask("lake", "diff", MAIN, MAIN).lines == ["nothing differs"]
    assert ask("lake", "diff", MAIN, MAIN, "--json").json == []


def test_show_of_a_commit(ask: Ask, commit: Commit) -> None:
    """A commit shows its parents, metadata, message, and what it changed; JSON has every change."""
    parent = commit({"old": "1"})
    many = {f"new/{number:02}": "1" for number in range(25)}
    made = commit({**many, "old": "2"}, message="much\n\nand why", metadata={"run": "r1"})
    said = ask("lake", "show", made[:10])
    for line in (f"commit   {made}", f"parent 1 {parent}", "  run: r1", "    and why", "25 added, 1 changed"):
        assert line in said.lines
    assert sum(line.startswith("+ ") for line in said.lines) == 20
    assert said.lines[-1] == f"… and 6 more; type: headrace lake diff {parent[:12]} {made[:12]}"
    found = ask("lake", "show", "main", "--json").json
    assert (found["id"], found["counts"], len(found["changes"])) == (made, {"added": 25, "changed": 1}, 26)


def test_show_of_the_first_commit(ask: Ask) -> None:
    """A commit without parents shows without changes."""
    ask("lake", "init")
    assert ask("lake", "show", "main", "--json").json["changes"] == []


def test_show_of_a_path(ask: Ask, lake: LakeStore) -> None:
    """An object shows digest, bytes and metadata; a folder what it holds; / the whole."""
    digest = lake.put(MAIN, "data/x.csv", b"a,b\n", {"origin": "test"}).digest
    lake.put(MAIN, "data/deep/y", b"1")
    lake.commit(MAIN, "add")
    info = {
        "path": "data/x.csv",
        "kind": "object",
        "digest": digest,
        "bytes": 4,
        "metadata": {"origin": "test"},
    }
    assert ask("lake", "show", MAIN, "data/x.csv", "--json").json == info
    assert f"digest   {digest}" in ask("lake", "show", MAIN, "data/x.csv").lines
    for path in ("data", "data/"):
        assert ask("lake", "show", MAIN, path, "--json").json == [
            {"path": "data/deep/", "kind": "folder"},
            info,
        ]
    assert [line.split()[-1] for line in ask("lake", "show", MAIN, "data").lines] == ["deep/", "x.csv"]
    assert ask("lake", "show", MAIN, "/", "--json").json == [{"path": "data/", "kind": "folder"}]


def test_show_says_what_to_type_for_something_else(ask: Ask, commit: Commit) -> None:
    """A path that is an object and a folder, and a path without a ref, say how to see the other."""
    commit({"a": "1", "a/b": "2"})
    assert ask("lake", "show", MAIN, "a").lines[-1] == "headrace lake show main a/"
    said = ask("lake", "show", "a/b")
    assert said.code == 1
    assert said.err.endswith("type: headrace lake show main a/b\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["log", "mian"], "did you mean main?"),
        (["show", "main", "dta/x"], "did you mean"),
        (["show", "main", "nothing/"], "there are: data/"),
        (["show", "main", "dat"], "did you mean data/?"),
        (["show", "main", "data/xx/y"], "did you mean data/x?"),
        (["diff", "main", "runn"], "'runn'"),
        (["revert", "nothing"], "'nothing'"),
        (["tag", "-d", "v2"], "there are: v1\n"),
        (["tag", "-d", "main"], "'main' is a branch, not a tag"),
        (["pin", "nobody"], "no run or branch 'nobody'"),
        (["unpin", "nobody"], "there are: run-1"),
    ],
)
def test_what_does_not_exist_ends_with_a_hint(
    words: list[str], hint: str, ask: Ask, commit: Commit, lake: LakeStore
) -> None:
    """A wrong name ends with exit code 1, nothing on stdout, and what to type."""
    commit({"data/x": "1"})
    lake.tag("v1", MAIN)
    lake.tag("pin-run-1", MAIN)
    said = ask("lake", *words)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: ")
    assert hint in said.err


def test_revert_says_what_it_undid(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """A revert is a commit on the branch, and names the commit and the paths that it put back."""
    commit({"x": "1"})
    bad = commit({"x": "2", "y": "1"}, message="break it")
    said = ask("lake", "revert", "main")
    head = lake.resolve(MAIN)
    assert said.lines[0] == f"undid {bad[:12]}  break it"
    assert said.lines[1] == f"by    {head[:12]}  on main: 1 changed, 1 removed"
    assert said.lines[2:] == ["~ x", "- y"]
    assert lake.local_path(MAIN, "x").read_bytes() == b"1"


def test_a_refused_revert_says_what_to_undo_first(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """Where later commits changed the same, they are named, newest first, each as what to type."""
    old = commit({"x": "1"}, message="first")
    second = commit({"x": "2"}, message="second")
    commit({"y": "1"}, message="other")
    third = commit({"x": "3"}, message="third")
    said = ask("lake", "revert", old)
    assert said.code == 1
    assert said.err.splitlines() == [
        f"error: the revert of {old[:12]} and main both changed x",
        "later commits changed that too; to undo them first, the newest first, type:",
        f"headrace lake revert {third[:12]}   # third",
        f"headrace lake revert {second[:12]}   # second",
    ]
    for step in (third, second, old):
        assert ask("lake", "revert", step).code == 0
    assert [info.path for info in lake.list(MAIN)] == ["y"]


def test_revert_of_a_merge_is_relative_to_a_parent(ask: Ask, commit: Commit, lake: LakeStore) -> None:
    """--parent 2 undoes on the side branch what the merge brought from main."""
    lake.create_branch("side", MAIN)
    commit({"s": "1"}, "side")
    commit({"m": "1"})
    merged = lake.merge("side", MAIN, "bring side")
    lake.create_branch("fix", MAIN)
    found = ask("lake", "revert", merged.id, "--branch", "fix", "--parent", "2", "--json").json
    assert found["undone"]["id"] == merged.id
    assert found["commit"]["id"] == lake.resolve("fix")
    assert found["changes"] == [{"path": "m", "kind": "removed"}]
    assert found["counts"] == {"removed": 1}
