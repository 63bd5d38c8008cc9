"""The documentation builds, its examples run, and it names what exists."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import yaml

from headrace import errors
from headrace.commands.best import add_best
from headrace.commands.graph import add_graph
from headrace.commands.lake import add_lake
from headrace.commands.models import add_models
from headrace.commands.runs import add_runs
from headrace.commands.sweeps import add_sweeps
from headrace.config.schema import StageNode
from headrace.core import key, ports, record, sweep

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
SLIM = ("runtime=inline", "tracker=none", "leave_out=[explain,smoke]")
EXPERIMENTS = sorted(path.stem for path in EXAMPLES.glob("conf/experiment/*.yaml"))


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_example_loads_a_published_model(tmp_path: Path) -> None:
    """`load_model.py` predicts with the model that a run published, from raw rows."""
    trained = run(
        sys.executable,
        *("-m", "flows.train", "+experiment=penguins", *SLIM),
        cwd=tmp_path,
    )
    assert trained.returncode == 0, trained.stdout
    rows = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    (tmp_path / "rows.csv").write_text(rows + "Torgersen,39.1,18.7,181.0,3750.0,male,2007\n")
    done = run(sys.executable, str(EXAMPLES / "load_model.py"), "penguins", "rows.csv", cwd=tmp_path)
    assert done.stdout.strip() == "penguins version 1 (production): Adelie", done.stderr
    done = run(sys.executable, str(EXAMPLES / "load_model.py"), "pinguins", "rows.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == "error: the lake has no version of a model 'pinguins': publish one first"


def test_the_example_draws_a_chart_that_can_be_stored(tmp_path: Path) -> None:
    """`ages.py` returns a chart that says what it shows, and the codec for figures stores it."""
    code = (
        "import ages, pathlib, pandas as pd; from headrace.adapters.codec_figure import FigureCodec;"
        "figures = ages.draw_ages(pd.DataFrame({'age': [1, 2, 2, 3]}))['figures'];"
        f"FigureCodec().write(figures, pathlib.Path({str(tmp_path / 'figures')!r}))"
    )
    done = run(sys.executable, "-c", code, cwd=EXAMPLES)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "figures" / "ages.json").read_text("utf-8"))["usermeta"]["headrace"]
    assert told["alt"] == "Bar chart of 4 rows by age; most are 2."


def words(page: str) -> set[str]:
    """Return everything that a page sets in code style, and its bare names."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"\w+", code)}


def test_the_documentation_builds_without_warnings(tmp_path: Path) -> None:
    """mkdocs finds every page, link, anchor and included file."""
    done = run(
        *(sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet"),
        *("--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(tmp_path / "site")),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    page = tmp_path / "site" / "how-to" / "add-a-stage" / "index.html"
    assert "pulls extreme values in" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_of_the_examples_runs(experiment: str, project: Path) -> None:
    """Copied into an empty project, the files that the how-to pages show train and publish a model."""
    shutil.copytree(EXAMPLES, project, dirs_exist_ok=True)
    add_birds(project)
    done = run(*train(f"+experiment={experiment}"), cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    written = one_record(project)
    assert written["state"] == "succeeded"
    assert written["published"]["model"] == experiment


def test_the_example_of_a_model_is_trained_and_published(project: Path) -> None:
    """`model=linear_discriminant` from the how-to page is what the run trains."""
    shutil.copytree(EXAMPLES, project, dirs_exist_ok=True)
    done = run(*train("+experiment=penguins", "model=linear_discriminant"), cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        one_record(project)["config"]["model"]["_target_"]
        == "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"
    )


def test_the_example_infers_a_schema(project: Path) -> None:
    """The script on the data set page prints a schema with every column of the file."""
    source = add_birds(project)
    done = run(sys.executable, str(EXAMPLES / "infer_schema.py"), str(source), cwd=project)
    assert done.returncode == 0, done.stderr
    assert "body_mass_g" in yaml.safe_load(done.stdout)["columns"]


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Relative links and pictures of README.md exist."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert "docs/pipeline.svg" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_make_target_is_documented() -> None:
    """The reference lists the targets of the Makefile, and README names how to test."""
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"train", "test"} <= targets
    assert targets <= words("reference/commands.md")
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_command_is_documented() -> None:
    """The reference lists each verb of `headrace lake`, and each option of a verb."""
    commands = argparse.ArgumentParser().add_subparsers()
    add_lake(commands)
    verbs = next(iter(commands.choices["lake"]._subparsers._group_actions)).choices
    assert {"log", "gc"} <= set(verbs)
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    for name, verb in verbs.items():
        assert f"`headrace lake {name}" in page
        options = [option for action in verb._actions for option in action.option_strings]
        assert [option for option in options if option not in ("-h", "--help") and option not in page] == []


@pytest.mark.parametrize(
    ("name", "add"), [("runs", add_runs), ("graph", add_graph), ("sweeps", add_sweeps), ("best", add_best)]
)
def test_every_option_of_a_list_is_documented(name: str, add: Callable[..., None]) -> None:
    """The rows of a command in the reference name each of its options but where the records are."""
    commands = argparse.ArgumentParser().add_subparsers()
    add(commands)
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(rf"^\| `headrace {name}\b.*$", page, re.MULTILINE))
    options = {option for action in commands.choices[name]._actions for option in action.option_strings}
    assert {option for option in options if f"`{option}" not in rows} == {"-h", "--help", "--headrace-dir"}


def test_every_option_of_models_is_documented() -> None:
    """It opens the lake, so it has the options of the lake's verbs."""
    commands = argparse.ArgumentParser().add_subparsers()
    add_models(commands)
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `headrace models\b.*$", page, re.MULTILINE)
    options = {option for action in commands.choices["models"]._actions for option in action.option_strings}
    assert {option for option in options if f"`{option}" not in row} == {"-h", "--help"}


def test_every_error_is_documented() -> None:
    """The reference lists each error class and each exit code."""
    found = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    classes = [thing for thing in found if issubclass(thing, errors.HeadraceError)]
    assert {thing.__name__ for thing in classes} <= words("reference/errors.md")
    page = (DOCS / "reference" / "errors.md").read_text()
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert codes == {0} | {thing.exit_code for thing in classes}


def test_every_lake_method_is_documented() -> None:
    """The reference names each method of the LakeStore port."""
    assert get_members(ports.LakeStore) <= words("reference/lake-store.md")


def test_every_field_of_a_record_is_documented() -> None:
    """The reference names each field of a run and of its stages."""
    names = {field.name for field in (*fields(record.RunRecord), *fields(record.StageRecord))}
    assert names <= words("reference/run-json.md")


def test_every_field_of_a_sweep_is_documented() -> None:
    """The reference names each field of a sweep's record and of its jobs, and each state."""
    names = {field.name for field in (*fields(sweep.SweepRecord), *fields(sweep.TrialRecord))}
    states = {*get_args(sweep.SweepState), *get_args(sweep.TrialState)}
    assert names | states <= words("reference/sweep-json.md")


def test_every_key_of_a_stage_file_is_documented() -> None:
    """The reference names each key that conf/stages files may have."""
    assert {field.name for field in fields(StageNode)} <= words("reference/stage-yaml.md")


def test_every_part_of_the_key_is_documented() -> None:
    """The explanation names each part that make_key digests."""
    tree = ast.parse(Path(str(key.__file__)).read_text(encoding="utf-8"))
    (make,) = [node for node in tree.body if getattr(node, "name", "") == "make_key"]
    (parts,) = [node.value for node in ast.walk(make) if isinstance(node, ast.Assign) and is_parts(node)]
    assert isinstance(parts, ast.Dict)
    names = {part.value for part in parts.keys if isinstance(part, ast.Constant)}
    assert "code" in names
    assert names <= words("explanation/key-of-a-stage.md")


@pytest.mark.parametrize("page", sorted(DOCS.glob("decisions/0*.md")), ids=lambda page: page.stem)
def test_a_decision_says_what_why_and_what_was_rejected(page: Path) -> None:
    """Each decision has a status, its three sections, its number, and a line in the index."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem[:4]}: ")
    assert re.search(r"^\*\*Status:\*\* (accepted|replaced by|proposed)", text, re.MULTILINE)
    for section in ("## What", "## Why", "## Rejected"):
        assert f"\n{section}\n" in text
    assert f"({page.name})" in (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")


def is_parts(node: ast.Assign) -> bool:
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "parts"


def get_members(port: type) -> set[str]:
    """Return the public methods of a port and of the ports that it extends."""
    return {name for name in dir(port) if not name.startswith("_")}


def train(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "flows.train", *overrides, *SLIM]


def one_record(project: Path) -> dict[str, object]:
    (path,) = project.glob(".headrace/runs/*/run.json")
    return dict(json.loads(path.read_text()))


def add_birds(project: Path) -> Path:
    """Copy the penguins that a package ships to where the examples expect a file."""
    spec = importlib.util.find_spec("palmerpenguins")
    assert spec is not None
    assert spec.origin is not None
    target = project / "data" / "birds.csv"
    target.parent.mkdir()
    shutil.copyfile(Path(spec.origin).parent / "data" / "penguins.csv", target)
    return target
