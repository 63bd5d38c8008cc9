"""`python -m flows.plan`, as people use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace import tell_plan
from headrace.core.plan import StagePlan, State
from tests.toy import Toy, toy

__all__ = ["toy"]

TOY = ("+experiment=toy", "pipeline=bare")
ROOT = Path(__file__).parents[2]
EXPERIMENT = "+experiment=breast_cancer"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def command(
    flow: str, *words: str, check: int = 0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", f"flows.{flow}", *words],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == check, done.stdout + done.stderr
    return done


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything below a folder, folders included.

    Not of SQLite's `-wal` and `-shm`: a reader makes them beside the lake's database and takes them away
    again, which also moves the time of their folder.
    """
    found = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    kept = [path for path in found if not path.name.endswith(("-wal", "-shm"))]
    touched = folder / ".headrace" / "lake"
    return {
        str(path): (path.stat().st_size, 0 if path == touched else path.stat().st_mtime_ns) for path in kept
    }


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the experiment has run, for tests to copy."""
    folder = tmp_path_factory.mktemp("trained")
    command("train", EXPERIMENT, "runtime=inline", "tracker=none", cwd=folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, project: Path) -> Path:
    shutil.copytree(trained_once, project, dirs_exist_ok=True)
    command("plan", EXPERIMENT)  # the first reader of a copied lake has SQLite put away its log
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
    assert [states[name] for name in ("ingest", "preprocess", "train", "package")] == [
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
    assert "10 cached, 0 run, 0 may run" in said


def test_a_plan_of_a_sweep_counts_stages(trained: Path) -> None:
    """Jobs, stage runs, distinct stages and the shared ones are told; group choices count as well."""
    words = ("-m", EXPERIMENT, "model.C=1.0,3,10", "--json")
    plan = json.loads(command("plan", *words).stdout)
    assert (plan["jobs"], plan["stage_runs"]) == (3, 21)
    assert (plan["distinct"], plan["cached"], plan["execute"]) == (13, 6, 7)
    assert plan["shared"] == ["ingest", "validate", "split", "preprocess"]
    both = ("-m", EXPERIMENT, "model=logistic_regression,random_forest", "seed=1,2", "--json")
    assert json.loads(command("plan", *both).stdout)["jobs"] == 4


def test_a_wrong_sweep_is_a_config_error(project: Path) -> None:
    """The key is named with what to type, as for a run."""
    said = command("plan", "-m", EXPERIMENT, "model.CC=1,2", check=2).stderr
    assert "did you mean model.C=1?" in said


def test_a_plan_of_a_grid_names_what_is_shared(project: Path) -> None:
    """Before anything ran, a grid of four jobs says what all share, and writes nothing."""
    said = command("plan", "-m", EXPERIMENT, "model.C=1,2", "stages.train.params.class_weight=a,b", check=2)
    assert "stages.train" in said.stderr
    said = command("plan", "-m", EXPERIMENT, "model.C=1,2", "model.max_iter=100,200")
    assert "4 jobs, 28 stage runs: 16 distinct stages, 0 cached already, 16 execute" in said.stdout
    assert "ingest, validate, split, preprocess are shared by all 4 jobs" in said.stdout
    assert "how long that takes is not known yet" in said.stdout
    assert list(project.iterdir()) == []


def stages_of(*words: str) -> dict[str, dict[str, Any]]:
    plan = json.loads(command("plan", *words, "--json").stdout)
    return {stage["name"]: stage for stage in plan["stages"]}


def test_another_option_of_a_group_runs_its_stage(trained: Path) -> None:
    """Another preprocessing leaves what is before it cached, and the reason names the call."""
    stages = stages_of(EXPERIMENT, "stages/preprocess=none")
    assert [stages[name]["state"] for name in ("split", "preprocess", "train")] == ["CACHED", "RUN", "MAYBE"]
    assert any("preprocess" in reason for reason in stages["preprocess"]["reasons"])


def test_a_changed_file_runs_the_stage_that_reads_it(toy: Toy) -> None:
    """The file is named with its size, and the rest waits for what comes out."""
    toy.run()
    (toy.folder / "data.txt").write_text("1 2 3 4")
    stages = stages_of(*TOY)
    assert stages["load"]["state"] == "RUN"
    assert stages["load"]["reasons"] == ["data.txt changed (7 B, was 5 B)"]
    assert {stages[name]["state"] for name in ("double", "count", "judge", "pack")} == {"MAYBE"}


def test_a_removed_object_runs_its_stage(toy: Toy) -> None:
    """Where the lake has collected what a cached stage made, the plan says so."""
    record, _ = toy.run("publish=null")
    lake = toy.prepare("publish=null").job.lake
    lake.delete_branch(record.branch)
    assert lake.gc().objects > 0
    stages = stages_of(*TOY, "publish=null")
    assert stages["load"]["state"] == "RUN"
    assert stages["load"]["reasons"] == ["cached object is gone"]
    assert stages["double"]["state"] == "MAYBE"


def test_a_plan_says_what_would_be_published(toy: Toy) -> None:
    """The next number of the model, none for a part of the pipeline, and none where the gate says no."""
    assert "publishes toy version 1, alias production, if the gate passes" in command("plan", *TOY).stdout
    toy.run()
    words = (*TOY, "stages.double.params.factor=3")
    assert "publishes toy version 2" in command("plan", *words).stdout
    assert "publishes nothing" in command("plan", *words, "stop_after=double").stdout


def test_a_plan_knows_the_answer_of_the_gate(toy: Toy) -> None:
    """Where it is cached and says no, a run would do nothing, and so says the plan."""
    toy.run("stages.judge.params.limit=1")
    words = (*TOY, "stages.judge.params.limit=1")
    before = listing(toy.folder)
    said = command("plan", *words).stdout
    assert "nothing runs: the gate says no" in said
    assert "to run it" not in said
    plan = json.loads(command("plan", *words, "--json").stdout)
    assert plan["publishes"] is None
    assert "total: found 12, wanted max 1" in plan["rejected"]
    assert listing(toy.folder) == before


def test_reasons_wrap_under_the_name_on_a_narrow_terminal(toy: Toy) -> None:
    """At 44 columns no line of the table is longer, and what is said goes on below the name."""
    toy.run()
    shown, terminal = os.openpty()
    words = [*TOY, "stages.double.params.factor=123456789"]
    done = subprocess.run(
        [sys.executable, "-m", "flows.plan", *words],
        env={**environment(), "COLUMNS": "44"},
        stdout=terminal,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(terminal)
    said = os.read(shown, 100_000).decode()
    os.close(shown)
    assert done.returncode == 0, done.stderr
    table = said.replace("\r", "").partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 44
    at = next(i for i, line in enumerate(table) if line.startswith("double"))
    assert table[at + 1] == "    params.factor 2 → 123456789"


def test_a_long_list_of_reasons_is_bounded() -> None:
    """After twenty reasons a screen says how many more there are."""
    stage = StagePlan(name="train", state=State.RUN, reasons=tuple(f"params.p{i} 1 → 2" for i in range(25)))
    lines = list(tell_plan._stage_lines(stage, 5, 80))
    assert len(lines) == 21
    assert lines[-1].strip() == "and 5 more"


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
