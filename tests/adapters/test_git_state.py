"""The state of the code: what is kept of it at a run's start, and how it comes back."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from headrace.adapters.git_state import FILES_AT_MOST, PATCH, UNTRACKED, checked_out, git_root, read_git_state
from headrace.errors import CannotReproduce


def git(*words: str) -> str:
    command = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(project: Path) -> Path:
    git("init", "-q")
    (project / "code.py").write_text("x = 1\n")
    (project / "data.bin").write_bytes(bytes(range(256)))
    (project / ".gitignore").write_text("ignored.py\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return project


def test_outside_of_a_checkout_there_is_no_state(project: Path) -> None:
    """A folder without git gives an empty state and no root."""
    assert read_git_state(project / "kept") == {}
    assert git_root() is None


def test_a_clean_checkout_keeps_nothing(repository: Path, tmp_path: Path) -> None:
    """The commit says everything, and no folder is made."""
    state = read_git_state(tmp_path / "kept")
    assert state == {"commit": git("rev-parse", "HEAD").strip(), "dirty": False, "diff": None}
    assert not (tmp_path / "kept").exists()


def test_changes_come_back_whole(repository: Path, tmp_path: Path) -> None:
    """Edits, staged and not, binary ones, deletions and new code are in the worktree."""
    (repository / "code.py").write_text("x = 2\n")
    git("add", "code.py")
    (repository / "data.bin").write_bytes(bytes(reversed(range(256))))
    (repository / ".gitignore").unlink()
    (repository / "deep").mkdir()
    (repository / "deep" / "new.py").write_text("new = True\n")
    (repository / "picture.png").write_bytes(b"\x89PNG")
    kept = tmp_path / "kept"
    before = (git("status", "--porcelain"), git("branch", "--list"), (repository / ".git/index").read_bytes())
    state = read_git_state(kept)
    assert (state["dirty"], state["left_out"]) == (True, 1)
    with checked_out(state, kept, tmp_path / "tree") as tree:
        assert (tree / "code.py").read_text() == "x = 2\n"
        assert (tree / "data.bin").read_bytes() == bytes(reversed(range(256)))
        assert not (tree / ".gitignore").exists()
        assert (tree / "deep" / "new.py").read_text() == "new = True\n"
    assert not (tmp_path / "tree").exists()
    assert git("worktree", "list").count("\n") == 1
    now = (git("status", "--porcelain"), git("branch", "--list"), (repository / ".git/index").read_bytes())
    assert now == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "true"),
    ],
)
def test_a_persons_settings_for_diffs_do_no_harm(
    repository: Path, tmp_path: Path, setting: str, value: str
) -> None:
    """Colours, other prefixes and other viewers stay out of the change that is kept."""
    git("config", setting, value)
    (repository / "code.py").write_text("x = 2\n")
    state = read_git_state(tmp_path / "kept")
    with checked_out(state, tmp_path / "kept", tmp_path / "tree") as tree:
        assert (tree / "code.py").read_text() == "x = 2\n"


def test_a_subfolder_keeps_the_changes_of_the_whole_checkout(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project in a folder of a larger repository may reach code beside it."""
    git("config", "diff.relative", "true")
    (repository / "inside").mkdir()
    (repository / "code.py").write_text("x = 2\n")
    (repository / "new.py").write_text("y = 1\n")
    monkeypatch.chdir(repository / "inside")
    state = read_git_state(tmp_path / "kept")
    with checked_out(state, tmp_path / "kept", tmp_path / "tree") as tree:
        assert (tree / "code.py").read_text() == "x = 2\n"
        assert (tree / "new.py").read_text() == "y = 1\n"


def test_no_hook_of_the_repository_runs(repository: Path, tmp_path: Path) -> None:
    """A hook that runs after a checkout might do anything."""
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with checked_out(read_git_state(), tmp_path / "kept", tmp_path / "tree"):
        pass
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("name", "what"), [(PATCH, "changes"), (UNTRACKED, "code files")])
def test_what_was_kept_and_is_lost_is_named(repository: Path, tmp_path: Path, name: str, what: str) -> None:
    """A file beside the record that is damaged or gone is told, and no worktree is left."""
    (repository / "code.py").write_text("x = 2\n")
    (repository / "new.py").write_text("y = 1\n")
    kept = tmp_path / "kept"
    state = read_git_state(kept)
    (kept / name).write_text("damaged")
    with (
        pytest.raises(CannotReproduce, match=f"the run had {what}.*it was changed"),
        checked_out(state, kept, tmp_path / "tree"),
    ):
        pass
    (kept / name).unlink()
    with pytest.raises(CannotReproduce, match="is gone"), checked_out(state, kept, tmp_path / "tree"):
        pass
    assert git("worktree", "list").count("\n") == 1


def test_a_commit_that_is_gone_is_named(repository: Path, tmp_path: Path) -> None:
    """The message holds the whole id, to fetch it."""
    state = {"commit": "0" * 39 + "1", "dirty": False, "diff": None}
    with (
        pytest.raises(CannotReproduce, match=r"0{39}1 is not in this repository: fetch it"),
        checked_out(state, tmp_path, tmp_path / "tree"),
    ):
        pass


def test_the_worktree_goes_when_its_user_fails(repository: Path, tmp_path: Path) -> None:
    """An interrupt inside leaves nothing."""
    with pytest.raises(KeyboardInterrupt), checked_out(read_git_state(), tmp_path, tmp_path / "tree"):
        raise KeyboardInterrupt
    assert not (tmp_path / "tree").exists()
    assert git("worktree", "list").count("\n") == 1


def test_many_new_files_are_counted(repository: Path, tmp_path: Path) -> None:
    """What is above the bound is not kept, and the state says how many that are."""
    for number in range(FILES_AT_MOST + 3):
        (repository / f"new_{number}.py").write_text("")
    assert read_git_state(tmp_path / "kept")["left_out"] == 3


def test_headraces_own_files_are_no_code(repository: Path) -> None:
    """A project that does not ignore its state keeps none of it, and nothing is said to be left out."""
    kept = repository / ".headrace" / "runs" / "1"
    kept.mkdir(parents=True)
    (kept / "run.json").write_text("{}")
    (repository / ".headrace" / "cache.json").write_text("{}")
    (repository / "new.py").write_text("")
    state = read_git_state(kept)
    assert (state["untracked"] is not None, state["left_out"]) == (True, 0)
    with zipfile.ZipFile(kept / UNTRACKED) as archive:
        assert archive.namelist() == ["new.py"]


def test_a_change_that_git_does_not_tell_is_not_taken_for_none(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says that the change is unread: a run with it is not one of the bare commit."""
    (repository / "code.py").write_text("x = 2\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "git"
    real = next(f"{folder}/git" for folder in os.environ["PATH"].split(":") if Path(folder, "git").is_file())
    script.write_text(f'#!/bin/sh\ncase "$*" in *--binary*) exit 1;; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert read_git_state(tmp_path / "kept")["unread"] == "git diff failed"
