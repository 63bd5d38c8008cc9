"""`headrace graph`: the picture of what would run, and of what ran."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from headrace.core.record import RunRecord
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]

ROOT = Path(__file__).parents[2]
WORDS = ("graph", "+experiment=toy", "pipeline=bare")
STAGES = ["load", "double", "count", "judge", "pack"]


@pytest.fixture
def ran(toy: Toy) -> RunRecord:
    record, _ = toy.run()
    return record


def states(found: dict[str, object]) -> dict[str, str]:
    stages = found["stages"]
    assert isinstance(stages, list)
    return {stage["name"]: stage["state"] for stage in stages}


def test_before_anything_ran(toy: Toy, ask: Ask) -> None:
    """The first stage would run, the others may; nothing is written by asking."""
    told = ask(*WORDS)
    assert told.code == 0, told.err
    assert "│ load  RUN" in told.out
    assert "│ pack  MAYBE" in told.out
    assert "1 RUN, 4 MAYBE" in told.lines[-3]
    assert not (toy.folder / ".headrace" / "runs").exists()


def test_after_a_run(ran: RunRecord, ask: Ask) -> None:
    """What is cached shows what it took; a changed param makes its stage run."""
    told = ask(*WORDS, "stages.double.params.factor=3", "--json")
    found = told.json
    assert states(found) == {
        "load": "CACHED",
        "double": "RUN",
        "count": "CACHED",
        "judge": "MAYBE",
        "pack": "MAYBE",
    }
    assert all(stage["seconds"] is not None and stage["lately"] for stage in found["stages"])
    (double,) = [stage for stage in found["stages"] if stage["name"] == "double"]
    assert double["reason"] == "params.factor 2 → 3"
    assert double["reads"] == [{"stage": "load", "artifacts": ["rows"]}]
    assert (found["experiment"], found["run"]) == ("toy", None)


def test_a_past_run(ran: RunRecord, ask: Ask, toy: Toy) -> None:
    """By id or as the latest, with what it ran and what was cached."""
    second, _ = toy.run("stages.double.params.factor=3")
    found = ask("graph", "latest", "--json").json
    assert found["run"] == second.id
    assert states(found)["load"] == "cached"
    assert states(found)["double"] == "ran"
    first = ask("graph", ran.id)
    assert "│ load  ran " in first.out
    assert f"toy, run {ran.id} (succeeded" in first.lines[-2]
    assert "5 ran" in first.lines[-2]
    assert ask("graph", "latest:toy", "--json").json["run"] == second.id


def test_as_mermaid_and_as_svg(ran: RunRecord, ask: Ask) -> None:
    """Each is the whole of what is printed, for a page or a file, with every stage."""
    mermaid = ask(*WORDS, "--mermaid").out
    assert mermaid.startswith("flowchart TD\n")
    svg = ask("graph", "latest", "--svg").out
    ElementTree.fromstring(svg)
    for stage in STAGES:
        assert f'["{stage}<br/>' in mermaid
        assert f">{stage}</text>" in svg
    assert ask("graph", "latest", "--svg", "--mermaid").code == 2


@pytest.mark.parametrize("columns", [40, 60, 100, 160])
def test_no_line_is_wider_than_the_terminal(
    columns: int, ask: Ask, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    """The pipeline that comes with headrace fits, too."""
    monkeypatch.setenv("COLUMNS", str(columns))
    told = ask("graph", "+experiment=penguins")
    assert told.code == 0, told.err
    picture = told.lines[: told.lines.index("")]
    assert max(map(len, picture)) <= columns
    assert "│ preprocess  MAYBE" in told.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "type: headrace graph +experiment=<name>"),
        (["toy"], 2, "did you mean headrace graph +experiment=toy?"),
        (["toi"], 2, "did you mean headrace graph +experiment=toy?"),
        (["19990101"], 1, "there is no run '19990101' here"),
        (["latest"], 1, "there is no run of anything here"),
        (["toy", "model.C=3"], 2, "did you mean +experiment=toy?"),
        (["one", "two"], 2, "one run at a time"),
        (["+experiment=tyo"], 2, "did you mean +experiment=toy?"),
        (["+experiment=toy", "stages.double.params.factr=3"], 2, "factr"),
        (["latest", "--mermiad"], 2, "did you mean --mermaid?"),
    ],
)
def test_words_that_mean_nothing(toy: Toy, ask: Ask, words: list[str], code: int, said: str) -> None:
    """Each ends with what to type instead."""
    told = ask("graph", *words)
    assert (told.code, told.out) == (code, "")
    assert said in told.err


def test_it_loads_no_heavy_library(toy: Toy) -> None:
    """A picture of what would run needs none of the libraries that would run."""
    code = (
        "import sys\n"
        "from headrace.cli import main\n"
        "try:\n"
        "    main(['graph', '+experiment=toy', 'pipeline=bare'])\n"
        "except SystemExit:\n"
        "    heavy = ('numpy', 'pandas', 'sklearn', 'prefect', 'wandb', 'torch', 'optuna', 'altair')\n"
        "    print(*(name for name in heavy if name in sys.modules), file=sys.stderr)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert "| load  RUN |" in done.stdout
    assert done.stdout.isascii()
