"""`headrace check determinism` finds the stage that does not keep its promise."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from headrace.core.ports import LakeStore
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]

WORDS = ("check", "determinism", "toy", "pipeline=bare")
RANDOM = "import random; rows = [random.random() for x in rows]"
SET_ORDER = "rows = [int(x) for x in {str(x) for x in range(8)}]"


@pytest.fixture(autouse=True)
def _path(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that the command starts find the checkout, and see what they leave behind."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root / "src"), str(root)]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))


def spoil(toy: Toy, stage: str, line: str) -> None:
    """Let a stage begin with a line that makes it come out otherwise."""
    call = f'    CALLS.append("{stage}")\n'
    assert call in toy.code
    toy.code = toy.code.replace(call, f"{call}    {line}\n")
    toy.write()


def test_a_deterministic_experiment(toy: Toy, ask: Ask, tmp_path: Path) -> None:
    """Both runs come out the same, and nothing of them stays: no state, no lake, no scratch."""
    told = ask(*WORDS)
    assert (told.code, told.lines) == (0, ["deterministic: 6 artifacts came out the same to the bit, twice"])
    assert not (toy.folder / ".headrace").exists()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("line", [RANDOM, SET_ORDER], ids=["random", "set"])
def test_the_first_stage_that_differs_is_named(toy: Toy, ask: Ask, line: str) -> None:
    """Numbers drawn without the seed and the order of a set are found in their stage, with the place."""
    spoil(toy, "double", line)
    told = ask(*WORDS)
    assert told.code == 1, told.err
    assert told.lines[0] == "double is not deterministic: the same inputs gave two outputs"
    assert re.match(r"  doubled [0-9a-f]{8} → [0-9a-f]{8}: at \[\d\], .* apart$", told.lines[1])
    assert "pack" in told.lines[2]
    assert told.lines[2].startswith("read what differs, and may differ for that reason alone: ")


def test_every_stage_that_differs_by_itself_is_named(toy: Toy, ask: Ask) -> None:
    """Beside the first, a stage on the same inputs is told apart from those that only read what differs."""
    spoil(toy, "double", SET_ORDER)
    spoil(toy, "count", "rows = list({'a', hash('a') % 1000})[:1] * (hash('b') % 1000)")
    found = ask(*WORDS, "--json")
    assert (found.code, found.json["first"], found.json["origins"]) == (1, "double", ["double", "count"])
    digests = {a["artifact"]: a["digests"] for a in found.json["artifacts"] if a["kind"] != "identical"}
    assert {"doubled", "count", "model"} <= digests.keys()
    assert all(before != now for before, now in digests.values())


def test_a_gate_that_says_no_is_a_result(toy: Toy, ask: Ask) -> None:
    """Whether a model is good enough is not the question."""
    told = ask(*WORDS, "stages.judge.params.limit=1")
    assert (told.code, told.lines[0].partition(":")[0]) == (0, "deterministic"), told.err


def test_what_is_in_the_projects_lake_is_read_there(toy: Toy, ask: Ask, lake: LakeStore) -> None:
    """Data in the lake is the same for both runs, and no branch or tag of theirs stays in it."""
    lake.put("main", "data.txt", b"4 5 6")
    lake.commit("main", "bring data")
    told = ask(*WORDS, "stages.load.inputs.source=lake:data.txt")
    assert (told.code, told.lines[0].partition(":")[0]) == (0, "deterministic"), told.err
    assert [branch.name for branch in lake.branches()] == ["main"]
    assert lake.tags() == []


def test_a_run_that_fails_says_so(toy: Toy, ask: Ask, tmp_path: Path) -> None:
    """What cannot run cannot be compared, and leaves nothing either."""
    spoil(toy, "count", "raise ValueError(rows)")
    told = ask(*WORDS)
    assert told.code == 1
    assert "run 1 failed" in told.err
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_wrong_config_is_told_before_anything_runs(toy: Toy, ask: Ask) -> None:
    """With what is wrong and the exit code of a wrong config, as a run tells it."""
    told = ask(*WORDS, "stages.double.params.factr=3")
    assert told.code == 2
    assert "factr" in told.err
    assert "run 1" not in told.err
