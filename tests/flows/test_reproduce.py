"""`python -m flows.reproduce`: the same run again, or what keeps it from being the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.git_state import PATCH, checked_out, read_git_state
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.record import RunRecord
from headrace.errors import CannotReproduce
from headrace.reproduce.verdict import _json_distance
from tests.toy import Toy, toy

__all__ = ["toy"]

ROOT = Path(__file__).parents[2]


def git(*words: str) -> str:
    command = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def reproduce(*words: str, check: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.reproduce", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == check, done.stdout + done.stderr
    return done


@pytest.fixture
def versioned(toy: Toy) -> Toy:
    """The toy project in a git repository of its own."""
    (toy.folder / ".gitignore").write_text(".headrace/\n__pycache__/\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return toy


def outcome(record: RunRecord) -> dict[str, Any]:
    (file,) = Path(".headrace/runs", record.id).glob("reproduced-*.json")
    return dict(json.loads(file.read_text()))


def test_a_run_is_reproduced_with_its_own_code(versioned: Toy) -> None:
    """Code that changed since, and was not committed then, is as it was; nothing of it stays."""
    versioned.helper = "def scale(x, factor):\n    return x * factor + 7\n"
    (versioned.folder / "toy_new.py").write_text("SHIFT = 1\n")
    versioned.code = versioned.code.replace("import toy_helper", "import toy_helper\nimport toy_new")
    record, _ = versioned.run()
    assert record.git["dirty"]
    (versioned.folder / "toy_new.py").unlink()
    versioned.helper = "def scale(x, factor):\n    raise RuntimeError('not this one')\n"
    versioned.write()
    told = reproduce(f"run={record.id}")
    assert "is reproduced: 6 artifacts identical to the bit" in told.stdout
    assert outcome(record)["reproduced"]
    assert git("worktree", "list").count("\n") == 1
    assert git("status", "--porcelain").split() == ["M", "toy_helper.py", "M", "toy_stages.py"]
    lake = EmbeddedLake(versioned.folder / ".headrace" / "lake")
    assert [branch.name for branch in lake.branches("run-")] == [record.branch]


def test_outside_of_git_the_code_is_what_is_there(toy: Toy) -> None:
    """Without a checkout the run uses today's code, and changed modules are named as the cause."""
    record, _ = toy.run()
    assert "is reproduced" in reproduce("run=latest").stdout
    toy.helper = "def scale(x, factor):\n    return x * factor + 1\n"
    toy.write()
    told = reproduce("run=latest", check=1).stdout
    assert "double is the first stage that differs" in told
    assert "code of toy_helper" in told
    assert "at most 1 apart" in told
    assert record.id in told


def test_numbers_may_be_apart_by_a_tolerance(toy: Toy) -> None:
    """Within it an artifact is equal, and how far it is apart is told."""
    toy.run()
    toy.helper = "def scale(x, factor):\n    return x * factor + 1e-12\n"
    toy.write()
    assert "different" in reproduce("run=latest", check=1).stdout
    told = reproduce("run=latest", "tolerance=1e-9").stdout
    assert "equal" in told
    assert "equal within 1e-09" in told


def test_a_stage_that_is_not_deterministic_is_named(toy: Toy) -> None:
    """Where nothing recorded differs, the stage itself is the cause."""
    toy.code = toy.code.replace('{"count": {"n": len(rows)}}', '{"count": {"n": __import__("os").getpid()}}')
    toy.run()
    told = reproduce("run=latest", check=1).stdout
    assert "count is the first stage that differs" in told
    assert "not deterministic" in told


def test_what_is_missing_is_told_before_anything_runs(versioned: Toy) -> None:
    """A data file that changed or went, and a commit that is gone, each by name."""
    record, _ = versioned.run()
    (versioned.folder / "data.txt").write_text("9 9 9")
    assert "file:data.txt is not what load read then" in reproduce("run=latest", check=1).stderr
    (versioned.folder / "data.txt").unlink()
    assert "data.txt" in reproduce("run=latest", check=1).stderr
    (versioned.folder / "data.txt").write_text("1 2 3")
    shutil.rmtree(".git")
    git("init", "-q")
    git("add", ".gitignore")
    git("commit", "-q", "-m", "another history")
    said = reproduce("run=latest", check=1).stderr
    assert f"the git commit {record.git['commit']} is not in this repository" in said
    assert not list(Path(".headrace/runs", record.id).glob("reproduced-*.json"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "which run?"),
        (("rnu=latest",), 2, "did you mean run=…?"),
        (("run=latest", "tolerance=much"), 2, "is no number"),
        (("run=1999",), 1, "there is no run '1999'"),
    ],
)
def test_wrong_words(toy: Toy, words: tuple[str, ...], code: int, said: str) -> None:
    """Each says what to type."""
    toy.run()
    assert said in reproduce(*words, check=code).stderr


def test_a_failed_run_cannot_be_reproduced(toy: Toy) -> None:
    """There is nothing whole to compare with."""
    toy.code = toy.code.replace('CALLS.append("judge")', "raise ValueError(doubled)")
    toy.run()
    assert "nothing whole to compare with" in reproduce("run=latest", check=1).stderr


def test_the_state_of_the_code_is_kept(versioned: Toy, tmp_path: Path) -> None:
    """A clean checkout keeps nothing; a change and new code are kept, and large files are counted."""
    assert read_git_state(tmp_path / "clean") == {
        "commit": git("rev-parse", "HEAD").strip(),
        "dirty": False,
        "diff": None,
    }
    (versioned.folder / "toy_helper.py").write_text("changed = True\n")
    (versioned.folder / "new.py").write_text("new = True\n")
    (versioned.folder / "picture.png").write_bytes(b"\x89PNG")
    kept = tmp_path / "dirty"
    state = read_git_state(kept)
    assert (state["dirty"], state["left_out"]) == (True, 1)
    with checked_out(state, kept, tmp_path / "tree") as tree:
        assert (tree / "toy_helper.py").read_text() == "changed = True\n"
        assert (tree / "new.py").read_text() == "new = True\n"
    assert not (tmp_path / "tree").exists()
    (kept / PATCH).write_text("damaged")
    with pytest.raises(CannotReproduce, match="does not hold them"), checked_out(state, kept, tmp_path / "t"):
        pass


def test_json_is_compared_number_by_number(tmp_path: Path) -> None:
    """The farthest pair is told with its place; other shapes are endlessly far apart."""
    before, now = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(json.dumps({"a": [1.0, 2.0], "b": {"c": 3}}))
    now.write_text(json.dumps({"a": [1.0, 2.5], "b": {"c": 3.25}}))
    assert _json_distance(before, now) == (0.5, "at a[1]")
    now.write_text(json.dumps({"a": [1.0], "b": {"c": 3}}))
    assert _json_distance(before, now)[0] == float("inf")


@pytest.mark.parametrize("experiment", ["penguins", "breast_cancer"])
def test_an_experiment_reproduces_to_the_bit(experiment: str, project: Path) -> None:
    """The packaged experiments come out the same in another process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    words = [f"+experiment={experiment}", "runtime=inline", "tracker=none"]
    subprocess.run([sys.executable, "-m", "flows.train", *words], env=environment, check=True)
    assert "16 artifacts identical to the bit" in reproduce("run=latest").stdout
