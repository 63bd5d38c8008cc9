"""`python -m flows.train`, as people use it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake

ROOT = Path(__file__).parents[2]
WHOLE = ("runtime=inline", "tracker=none")
QUIET = (*WHOLE, "leave_out=[explain,smoke]")  # what takes longest, and is tried with every experiment once
BREAST_CANCER = ("+experiment=breast_cancer", *QUIET)

TINY = {
    "adult": ("dataset.rows=3000", "model.max_iter=5"),
    "penguins": ("dataset.rows=200",),
    "breast_cancer": ("dataset.rows=200",),
    "digits": ("dataset.rows=300", "model.max_epochs=2"),
    "flights": ("dataset.rows=4000", "model.max_iter=5", "model.min_samples_leaf=20"),
}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def train(*overrides: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.train", *overrides]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def record(project: Path) -> dict[str, object]:
    newest = max((project / ".headrace" / "runs").iterdir())
    return dict(json.loads((newest / "run.json").read_text()))


def test_every_experiment_has_a_tiny_form() -> None:
    """No experiment is left out below; those that search are the same ones with a space."""
    experiments = {file.stem for file in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert set(TINY) == {name for name in experiments if not name.endswith("_search")}


@pytest.mark.parametrize("experiment", TINY)
def test_experiment_runs(experiment: str, project: Path) -> None:
    """Each experiment trains and publishes on a small part of its data."""
    train(f"+experiment={experiment}", *WHOLE, "stages/gate=none", *TINY[experiment])
    found = record(project)
    assert found["state"] == "succeeded"
    assert [stage["state"] for stage in found["stages"]] == ["ran"] * 10  # type: ignore[attr-defined]
    assert found["published"]["version"] == 1  # type: ignore[index]


def test_the_end_of_a_run_says_where_everything_is(project: Path) -> None:
    """Stages, metrics, gate, run id, branch, commit, record and W&B folder are printed."""
    out = train("+experiment=breast_cancer", "runtime=inline").stdout
    found = record(project)
    for wanted in (
        "ingest", "package", "accuracy", "gate      passed", found["id"], f"run-{found['id']}",
        "run.json", ".headrace/wandb/", "published breast_cancer version 1, alias production",
    ):  # fmt: skip
        assert str(wanted) in out


def test_a_rerun_says_so_and_imports_nothing_heavy(project: Path) -> None:
    """With nothing to do, neither Prefect nor a data, model or tracking library is imported."""
    train("+experiment=breast_cancer", *WHOLE)
    run_id = record(project)["id"]
    code = (
        "import runpy, sys, atexit\n"
        "heavy = ('prefect', 'wandb', 'sklearn', 'torch', 'pandas', 'numpy', 'pandera', 'pyarrow', 'rich')\n"
        "atexit.register(lambda: print('LOADED', *(h for h in heavy if h in sys.modules)))\n"
        "runpy.run_module('flows.train', run_name='__main__', alter_sys=True)\n"
    )
    # Prefect and W&B as in real use: they are not even asked for.
    command = [sys.executable, "-c", code, "+experiment=breast_cancer"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"nothing to do: all 10 stages of breast_cancer are cached, made by run {run_id}" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert not (project / ".headrace" / "server").exists()


def test_one_train_param_reruns_train_and_what_follows(project: Path) -> None:
    """`model.C=3` executes train and what follows it, and no more."""
    train(*BREAST_CANCER)
    train(*BREAST_CANCER, "model.C=3")
    stages = {stage["name"]: stage for stage in record(project)["stages"]}  # type: ignore[attr-defined]
    ran = {name for name, stage in stages.items() if stage["state"] == "ran"}
    assert ran == {"train", "package", "evaluate", "gate"}
    assert stages["train"]["reason"] == "params.estimator.C 1.0 → 3"


def test_a_gate_that_says_no_leaves_3(project: Path) -> None:
    """Exit code 3 with what was found and wanted, nothing published; the same again runs nothing."""
    words = (*BREAST_CANCER, "stages.gate.params.thresholds.accuracy.min=0.999")
    done = train(*words, check=3)
    assert "rejected: the gate says no, nothing is published" in done.stdout
    assert "wanted min 0.999" in done.stdout
    assert record(project)["published"] is None
    again = train(*words, check=3)
    assert "wanted min 0.999" in again.stderr
    assert len(list((project / ".headrace" / "runs").iterdir())) == 1


def test_a_no_of_the_gate_leaves_0_where_nothing_is_to_be_published(project: Path) -> None:
    """`publish=false` needs no plus: the verdict and that nothing is published are told, exit code 0."""
    done = train(*BREAST_CANCER, "publish=false", "stages.gate.params.thresholds.accuracy.min=0.999")
    assert "gate      says no (accuracy 0.9649 < 0.999" in done.stdout
    assert "published nothing (publish=false)" in done.stdout
    found = record(project)
    assert (found["state"], found["published"]) == ("succeeded", None)


def test_a_sweep_over_older_states_of_the_lake(project: Path) -> None:
    """`-m dataset.at=~1,~2,null` as it is typed: each run reads its own state, found by another digest."""
    spec = find_spec("palmerpenguins")
    assert spec is not None
    assert spec.origin is not None
    rows = (Path(spec.origin).parent / "data" / "penguins.csv").read_text().splitlines(keepends=True)
    lake = EmbeddedLake(project / ".headrace" / "lake")
    for missing in (40, 20, 0):
        lake.put("main", "data/penguins.csv", "".join(rows[: len(rows) - missing]).encode())
        lake.commit("main", "penguins")
    train(
        *("-m", "+experiment=penguins", *QUIET, "stages/gate=none", "dataset.source=lake:data/penguins.csv"),
        *("publish=false", "dataset.at=~2,~1,null"),
    )
    records = [json.loads(file.read_text()) for file in (project / ".headrace" / "runs").glob("*/run.json")]
    states = {found["source"]["ref"]: found for found in records}
    assert set(states) == {"~2", "~1", "main"}
    assert {ref: found["source"]["commit"] for ref, found in states.items()} == {
        ref: lake.resolve(f"main{ref}" if ref != "main" else ref) for ref in states
    }
    assert {ref: found["stages"][0]["inputs"]["source"] for ref, found in states.items()} == {
        ref: lake.stat(found["source"]["commit"], "data/penguins.csv").digest for ref, found in states.items()
    }
    again = train("+experiment=penguins", *QUIET, "stages/gate=none", "publish=false",
                  "dataset.source=lake:data/penguins.csv", "dataset.at=2026-01-01", check=2)  # fmt: skip
    assert "is before the first commit of main" in again.stderr


BAD = {
    "no experiment": ((), ["no experiment is chosen", "penguins", "+experiment="]),
    "unknown experiment": (("+experiment=pengins",), ["'pengins'", "+experiment=penguins?"]),
    "unknown option": ((*BREAST_CANCER, "model=logistic"), ["'logistic'", "logistic_regression"]),
    "unknown key": ((*BREAST_CANCER, "modle.C=1"), ["modle.C", "model.C=1"]),
    "unknown param": ((*BREAST_CANCER, "+stages.split.params.size=1"), ["stages.split.params.size"]),
    "unknown model param": ((*BREAST_CANCER, "+model.depth=3"), ["model.depth", "LogisticRegression"]),
    "param of another model": (
        (*BREAST_CANCER, "model=random_forest", "model.C=3"),
        ["model.C", "n_estimators"],
    ),
    "wrong type": ((*BREAST_CANCER, "stages.split.params.test_size=big"), ["test_size", "float"]),
    "wrong type of a setting": ((*BREAST_CANCER, "stages.train.retries=many"), ["stages.train.retries"]),
    "missing value": ((*BREAST_CANCER, "seed=???"), ["seed", "seed=<value>"]),
    "unknown input": (
        (*BREAST_CANCER, "stages.train.inputs.features=train_featurs"),
        ["train_featurs", "stages.train.inputs.features=train_features"],
    ),
    "two makers": ((*BREAST_CANCER, "stages.split.outputs.train=raw"), ["'raw'", "ingest"]),
    "cycle": ((*BREAST_CANCER, "stages.validate.inputs.raw=metrics"), ["evaluate", "<-", "validate"]),
    "no such function": (
        (*BREAST_CANCER, "stages.train.call=headrace.stages.trian.fit"),
        ["stages.train.call=headrace.stages.train.fit?"],
    ),
    "several": (
        (*BREAST_CANCER, "modle.C=1", "lake=embeded", "stages.train.retries=x"),
        ["modle.C", "lake=embedded", "stages.train.retries", "3 problems"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_config_ends_at_once_and_leaves_nothing(case: str, project: Path) -> None:
    """Exit code 2, what is wrong and what to type, and no branch, run, server or lake behind."""
    overrides, wanted = BAD[case]
    done = train(*overrides, check=2)
    for text in wanted:
        assert text in done.stderr
    left = project / ".headrace"
    assert not any((left / name).exists() for name in ("runs", "lake", "server", "wandb"))


def test_a_typo_in_an_experiment_file_is_found(project: Path) -> None:
    """A key that nothing reads ends the command, also when it stands in a file."""
    folder = project / "conf" / "experiment"
    folder.mkdir(parents=True)
    lines = (ROOT / "conf" / "experiment" / "breast_cancer.yaml").read_text()
    (folder / "mine.yaml").write_text(lines + "sede: 3\nmodel: {c: 1}\n")
    done = train("+experiment=mine", *QUIET, check=2)
    assert "sede" in done.stderr
    assert "seed" in done.stderr
    assert "model.c" in done.stderr


BAD_DATA = {
    "empty table": (["dataset.source=file:empty.csv"], ["stage ingest", "empty.csv"]),
    "schema": (["dataset.source=file:wrong.csv"], ["stage validate", "species", "Emperor"]),
    "one class": (["dataset.source=file:adelie.csv"], ["Adelie", "one class"]),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_fails_the_run(case: str, project: Path) -> None:
    """Exit code 1, the stage and the rows or file named, `main` untouched, the command to resume last."""
    header = "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    adelie = "Adelie,Torgersen,39.1,18.7,181.0,3750.0,male,2007\n"
    (project / "empty.csv").write_text(header)
    (project / "wrong.csv").write_text(header + adelie + adelie.replace("Adelie", "Emperor"))
    (project / "adelie.csv").write_text(header + adelie * 20)
    overrides, wanted = BAD_DATA[case]
    done = train("+experiment=penguins", *QUIET, *overrides, check=1)
    said = done.stdout + done.stderr
    for text in wanted:
        assert text in said
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    assert last == f"python -m flows.train +experiment=penguins {shlex.join([*QUIET, *overrides])}"


def test_a_missing_file_is_a_wrong_config(project: Path) -> None:
    """Exit code 2, and the key and the file; nothing is there to resume."""
    done = train("+experiment=penguins", *QUIET, "dataset.source=file:none.csv", check=2)
    assert "dataset.source: there is no file none.csv" in done.stderr
    assert "to try again" not in done.stderr


def test_a_loss_that_is_not_finite_fails_train(project: Path) -> None:
    """A network that diverges fails its stage; nothing is published."""
    done = train("+experiment=penguins", *QUIET, "model=mlp", "model.lr=1e30", "model.max_epochs=3", check=1)
    assert "stage train failed" in done.stdout
    assert "finite" in done.stdout


def test_secrets_stay_out_of_every_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret from the environment or the command line is in no file that the run leaves."""
    monkeypatch.setenv("MY_API_KEY", "sesame-env")
    train(
        *BREAST_CANCER[:1], "runtime=inline", "+vars.db.password=sesame-arg", "+vars.key=${oc.env:MY_API_KEY}"
    )
    files = [file for file in project.rglob("*") if file.is_file()]
    assert len(files) > 20
    assert [file for file in files if b"sesame" in file.read_bytes()] == []


def test_an_interrupt_leaves_130_and_resumes(project: Path) -> None:
    """Ctrl-C while a model trains: exit code 130, finished stages kept, the same command goes on."""
    overrides = [
        "+experiment=digits",
        *QUIET,
        "model.max_epochs=500",
        "model.patience=500",
        "dataset.rows=400",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.train", *overrides],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch" in line:
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert record(project)["state"] == "interrupted"
    assert out.strip().splitlines()[-1] == f"python -m flows.train {shlex.join(overrides)}"
    again = train(*overrides[:4], "model.max_epochs=2", "dataset.rows=400", "stages/gate=none")
    assert "= preprocess: cached" in again.stderr


def test_progress_reads_well_without_a_terminal(project: Path) -> None:
    """Piped, the progress is plain lines without control characters."""
    done = train("+experiment=digits", *QUIET, "dataset.rows=300", "model.max_epochs=2", "stages/gate=none")
    assert "\x1b" not in done.stdout + done.stderr
    assert "train: epoch" in done.stderr
