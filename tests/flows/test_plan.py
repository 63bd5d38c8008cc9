"""`python -m flows.plan`, as people use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPERIMENT = "+experiment=breast_cancer"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def command(flow: str, *words: str, check: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", f"flows.{flow}", *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == check, done.stdout + done.stderr
    return done


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def trained(project: Path) -> Path:
    command("train", EXPERIMENT, "runtime=inline", "tracker=none")
    return project


def test_a_plan_of_an_empty_project_writes_nothing(project: Path) -> None:
    """Everything is to run, how long is not known, and not even a folder comes to be."""
    said = command("plan", EXPERIMENT).stdout
    assert "ingest      RUN" in said
    assert "how long that takes is not known yet" in said
    assert "python -m flows.train +experiment=breast_cancer" in said
    assert list(project.iterdir()) == []


def test_a_plan_after_a_run_says_what_changed(trained: Path) -> None:
    """One param: the stages before it are cached, its stage says old and new, what follows waits."""
    before = listing(trained)
    plan = json.loads(command("plan", EXPERIMENT, "model.C=3", "--json").stdout)
    states = {stage["name"]: stage["state"] for stage in plan["stages"]}
    assert [states[name] for name in ("ingest", "preprocess", "train", "publish")] == [
        "CACHED", "CACHED", "RUN", "MAYBE",
    ]  # fmt: skip
    train = next(stage for stage in plan["stages"] if stage["name"] == "train")
    assert train["reasons"] == ["params.estimator.C 1.0 → 3"]
    assert train["estimated_seconds"] > 0
    assert plan["against"]
    assert listing(trained) == before


def test_a_plan_with_nothing_to_do_says_so(trained: Path) -> None:
    """All is cached and published, by the run that is named."""
    said = command("plan", EXPERIMENT).stdout
    assert "nothing to do: made by run" in said
    assert "8 cached, 0 run, 0 may run" in said


def test_a_plan_of_a_sweep_counts_stages(trained: Path) -> None:
    """Jobs, stage runs, distinct stages and the shared ones are told; group choices count as well."""
    words = ("-m", EXPERIMENT, "model.C=1.0,3,10", "--json")
    plan = json.loads(command("plan", *words).stdout)
    assert (plan["jobs"], plan["stage_runs"]) == (3, 24)
    assert (plan["distinct"], plan["cached"], plan["execute"]) == (16, 8, 8)
    assert plan["shared"] == ["ingest", "validate", "split", "preprocess"]
    both = ("-m", EXPERIMENT, "model=logistic_regression,random_forest", "seed=1,2", "--json")
    assert json.loads(command("plan", *both).stdout)["jobs"] == 4


def test_a_wrong_sweep_is_a_config_error(project: Path) -> None:
    """The key is named with what to type, as for a run."""
    said = command("plan", "-m", EXPERIMENT, "model.CC=1,2", check=2).stderr
    assert "did you mean model.C=1?" in said


def test_a_plan_imports_no_library_of_the_stages(trained: Path) -> None:
    """Neither torch nor scikit-learn, pandas, Prefect or W&B is loaded for a plan or a sweep's."""
    code = (
        "import runpy, sys, atexit\n"
        "heavy = ('prefect', 'wandb', 'sklearn', 'torch', 'pandas', 'numpy', 'pandera', 'pyarrow', 'rich')\n"
        "atexit.register(lambda: print('LOADED', *(h for h in heavy if h in sys.modules)))\n"
        "runpy.run_module('flows.plan', run_name='__main__', alter_sys=True)\n"
    )
    for words in ((EXPERIMENT, "model.C=3"), ("-m", EXPERIMENT, "model.C=3,4")):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.rstrip().endswith("LOADED"), done.stdout + done.stderr


def test_a_reader_that_leaves_ends_the_plan_quietly(trained: Path) -> None:
    """`| head -1` gets its line, and no traceback follows."""
    plan = [sys.executable, "-m", "flows.plan", "-m", EXPERIMENT, "model.C=range(1,4)"]
    first = subprocess.Popen(plan, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stderr is not None
    first.stdout.close()
    assert first.stderr.read() == b""
    first.wait()
    first.stderr.close()
