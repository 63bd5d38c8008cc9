"""`python -m flows.reproduce`: the same run again, or what keeps it from being the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.record import RunRecord
from tests.toy import Toy, toy

__all__ = ["toy"]

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join([str(ROOT / "src"), str(ROOT)])


def git(*words: str) -> str:
    command = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def reproduce(*words: str, check: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.reproduce", *words],
        env={**os.environ, "PYTHONPATH": PATHS},
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


def branches(toy: Toy) -> list[str]:
    """Return the branches of runs in the toy's lake."""
    lake = EmbeddedLake(toy.folder / ".headrace" / "lake")
    return [branch.name for branch in lake.branches("run-")]


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
    assert branches(versioned) == [record.branch]


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
        (("run=latest", "tolerance=-1"), 2, "is no number from 0 on"),
        (("run=latest", "tolerance=nan"), 2, "is no number from 0 on"),
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


def test_secrets_are_asked_for_and_taken_from_the_environment(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has none; each is named with what to type, and what is given makes the run whole."""
    toy.code = toy.code.replace("factor: int = 2):", "factor: int = 2, password: str = ''):").replace(
        "toy_helper.scale(x, factor)", "toy_helper.scale(x, len(password))"
    )
    monkeypatch.setenv("TOY_PASSWORD", "s3cr3t-word")
    toy.run("+stages.double.params.password=${oc.env:TOY_PASSWORD}")
    said = reproduce("run=latest", check=1).stderr
    assert "'stages.double.params.password=${oc.env:NAME_OF_A_VARIABLE}'" in said
    word = "stages.double.params.password=${oc.env:TOY_PASSWORD}"
    told = reproduce("run=latest", word)
    assert "is reproduced: 6 artifacts" in told.stdout
    assert "s3cr3t" not in told.stdout + told.stderr
    assert "no secret of run" in reproduce("run=latest", "stages.double.params.factor=3", check=2).stderr


def test_what_the_machine_changes_is_named(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads are told beforehand, and as the cause where an artifact differs."""
    threads = '__import__("os").environ["OMP_NUM_THREADS"]'
    toy.code = toy.code.replace('{"count": {"n": len(rows)}}', f'{{"count": {{"n": {threads}}}}}')
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    toy.run()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    told = reproduce("run=latest", check=1)
    assert "differs from the run: threads of OpenMP 1 → 2" in told.stderr
    cause = told.stdout.partition("count is the first stage that differs")[2]
    assert "threads of OpenMP 1 → 2" in cause
    assert "not deterministic" not in cause


def test_a_run_that_fails_this_time_is_told(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its error, and what it did not make; its branch goes all the same."""
    fails = 'assert "TOY_FAILS" not in __import__("os").environ, "no more"'
    toy.code = toy.code.replace('CALLS.append("judge")', fails)
    record, _ = toy.run()
    monkeypatch.setenv("TOY_FAILS", "1")
    told = reproduce("run=latest", check=1).stdout
    assert "is not reproduced, it failed: stage judge failed: AssertionError: no more" in told
    assert "was not made this time" in told
    assert branches(toy) == [record.branch]


def test_an_interrupt_leaves_nothing(versioned: Toy, tmp_path: Path) -> None:
    """Neither a worktree nor a branch of the lake; the command leaves with 130."""
    waits = 'CALLS.append("judge"); import os, time; from pathlib import Path\n'
    waits += '    if "TOY_FIFO" in os.environ: open(os.environ["TOY_FIFO"], "w").close(); time.sleep(600)'
    versioned.code = versioned.code.replace('CALLS.append("judge")', waits)
    record, _ = versioned.run()
    fifo, folder = tmp_path / "fifo", tmp_path / "temporary"
    folder.mkdir()
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "flows.reproduce", "run=latest"]
    env = {**os.environ, "PYTHONPATH": PATHS, "TOY_FIFO": str(fifo), "TMPDIR": str(folder)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as process:
        fifo.read_bytes()  # returns when the stage runs
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert git("worktree", "list").count("\n") == 1
    assert branches(versioned) == [record.branch]
    assert list(folder.iterdir()) == []


def test_another_checkout_reproduces_the_run_of_the_first(
    versioned: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records and lake stay where they are; code and files come from the clone."""
    record, _ = versioned.run()
    git("clone", "-q", str(versioned.folder), str(tmp_path / "second"))
    monkeypatch.chdir(tmp_path / "second")
    told = reproduce(f"run={record.id}", f"headrace_dir={versioned.folder}/.headrace")
    assert "is reproduced: 6 artifacts identical" in told.stdout
    assert not Path(".headrace").exists()
    assert branches(versioned) == [record.branch]


def test_a_project_that_lost_its_git_is_told(versioned: Toy) -> None:
    """Code that is the same still runs; code that is not stops, with the commit that has it."""
    record, _ = versioned.run()
    shutil.rmtree(".git")
    assert "is reproduced" in reproduce("run=latest").stdout
    Path("toy_helper.py").write_text("def scale(x, factor):\n    return 7\n")
    said = reproduce("run=latest", check=1).stderr
    assert record.git["commit"] in said
    assert "code of toy_helper changed" in said


def test_a_lake_that_lost_the_data_is_told(toy: Toy) -> None:
    """The commit is named, and nothing runs. (The first commit of an embedded lake is always the same.)"""
    toy.run()
    record, _ = toy.run("stages.double.params.factor=3")
    shutil.rmtree(".headrace/lake")
    said = reproduce("run=latest", check=1).stderr
    assert f"the lake has no commit {record.source['commit']} any more" in said


def test_an_artifact_whose_bytes_are_gone_is_compared_by_digest(toy: Toy) -> None:
    """The record knows the digest; how far apart the numbers are can no longer be told."""
    record, _ = toy.run()
    shutil.rmtree(".headrace/lake/objects")
    assert "6 artifacts identical to the bit" in reproduce("run=latest").stdout
    shutil.rmtree(".headrace/lake/objects")
    toy.helper = "def scale(x, factor):\n    return x\n"
    toy.write()
    assert "only the digests could be compared" in reproduce("run=latest", check=1).stdout
    assert record.state == "succeeded"


def test_new_files_that_were_not_kept_are_told(versioned: Toy) -> None:
    """A large or binary file that git did not track may matter."""
    Path("weights.bin").write_bytes(b"1")
    versioned.run()
    assert "1 new files that git did not track were not kept" in reproduce("run=latest").stderr


@pytest.mark.parametrize(
    "experiment", ["penguins", "breast_cancer", pytest.param("digits", marks=pytest.mark.slow)]
)
def test_an_experiment_reproduces_to_the_bit(experiment: str, project: Path) -> None:
    """In another checkout, with the code of its commit: what the working tree holds by now would fail."""
    for folder in ("conf", "flows", "src"):
        shutil.copytree(ROOT / folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    Path(".gitignore").write_text(".headrace/\n__pycache__/\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    words = [f"+experiment={experiment}", "runtime=inline", "tracker=none"]
    if experiment != "penguins":  # figures of one are enough
        words.append("leave_out=[explain,smoke]")
    own = {**os.environ, "PYTHONPATH": os.pathsep.join([str(project / "src"), str(project)])}
    subprocess.run([sys.executable, "-m", "flows.train", *words], env=own, check=True)
    Path("src/headrace/stages/train.py").write_text("raise RuntimeError('not this one')\n")
    told = reproduce("run=latest")
    assert re.search(r"is reproduced: \d+ artifacts identical to the bit", told.stdout)
    assert git("worktree", "list").count("\n") == 1
