"""`headrace check determinism` finds the stage that does not keep its promise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]


@pytest.fixture(autouse=True)
def _path(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that the command starts find the checkout, and compose the bare pipeline."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root / "src"), str(root)]))


WORDS = ("check", "determinism", "toy", "pipeline=bare")


def test_a_deterministic_experiment(toy: Toy, ask: Ask) -> None:
    """Both runs come out the same, and nothing of them stays."""
    told = ask(*WORDS)
    assert (told.code, told.lines) == (0, ["deterministic: 6 artifacts came out the same to the bit, twice"])
    assert toy.prepare().job.lake.branches("run-") == []
    assert toy.prepare().job.lake.tags() == []


@pytest.mark.parametrize(
    "line",
    [
        "import random; rows = [random.random() for x in rows]",
        "rows = [len(x) + hash(x) % 1000 for x in map(str, rows)]",
    ],
    ids=["random", "hash"],
)
def test_the_first_stage_that_differs_is_named(toy: Toy, ask: Ask, line: str) -> None:
    """Numbers drawn without the seed and what hangs on the hash seed are found in their stage."""
    toy.code = toy.code.replace('    CALLS.append("double")\n', f'    CALLS.append("double")\n    {line}\n')
    toy.write()
    told = ask(*WORDS)
    assert told.code == 1, told.err
    assert told.lines[0] == "double is not deterministic: the same inputs gave two outputs"
    assert "doubled" in told.lines[1]
    assert any("judge" in line for line in told.lines[2:])
    assert ask(*WORDS, "--json").json["first"] == "double"


def test_a_run_that_fails_says_so(toy: Toy, ask: Ask) -> None:
    """What cannot run cannot be compared."""
    toy.code = toy.code.replace('CALLS.append("count")', "raise ValueError(rows)")
    toy.write()
    told = ask(*WORDS)
    assert told.code == 1
    assert "failed" in told.err
