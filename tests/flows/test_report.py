"""`python -m flows.report`: what may be typed, and what is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.report import Asked, parse, run_report
from headrace.errors import RunNotFound, SweepNotFound, WrongWord
from tests.toy import Toy, toy

__all__ = ["toy"]


def asked(*words: str) -> Asked:
    return parse(words)


def test_what_may_be_typed() -> None:
    """A run, a sweep or a comparison; formats, a folder, and a lake."""
    found = asked("run=latest", "format=[html,markdown]", "out=here", "headrace_dir=there", "lake=lakefs")
    assert (found.subject, found.names, found.formats) == ("run", ("latest",), ("html", "markdown"))
    assert (found.out, found.root) == (Path("here"), Path("there"))
    assert found.lake == ("headrace_dir=there", "lake=lakefs")
    assert asked("compare=[a, b]").names == ("a", "b")
    assert asked("sweep=latest").formats == ("html",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "report on what"),
        (("run=a", "sweep=b"), "report on what"),
        (("run=",), "report on what"),
        (("compare=[a]",), "takes two runs or more"),
        (("rnu=a",), "did you mean run=…"),
        (("run=a", "format=pdf"), "there is no format 'pdf'; there are: html, markdown"),
    ],
)
def test_a_wrong_word_says_what_to_type(words: tuple[str, ...], message: str) -> None:
    """Exit code 2, before anything is read."""
    with pytest.raises(WrongWord, match=message):
        parse(words)


def test_a_run_is_written(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    """A page, and Markdown beside it, below the project's state; the place and the size are told."""
    record, _ = toy.run()
    assert run_report(asked("run=latest", "format=[html,markdown]")) == 0
    folder = toy.folder / ".headrace" / "reports" / record.id
    assert record.id in (folder / "report.html").read_text()
    assert f"# Run of {record.experiment}" in (folder / "report.md").read_text()
    said = capsys.readouterr().out
    assert f"report  .headrace/reports/{record.id}/report.html  (" in said
    assert sorted(file.name for file in folder.iterdir()) == ["report.html", "report.md"]


def test_the_same_run_has_the_same_page(toy: Toy) -> None:
    """Written twice, also into another folder, not a byte differs."""
    record, _ = toy.run()
    page = toy.folder / ".headrace" / "reports" / record.id / "report.html"
    run_report(asked("run=latest"))
    before = page.read_bytes()
    run_report(asked("run=latest"))
    run_report(asked("run=latest", "out=elsewhere"))
    assert page.read_bytes() == before == (toy.folder / "elsewhere" / "report.html").read_bytes()


def test_runs_are_compared(toy: Toy) -> None:
    """The first is what the others are compared with."""
    one, _ = toy.run()
    two, _ = toy.run("stages.double.params.factor=3")
    run_report(asked(f"compare=[{one.id},{two.id}]"))
    (page,) = (toy.folder / ".headrace" / "reports").glob("*/report.html")
    text = page.read_text()
    assert "2 runs compared" in text
    assert "params.factor" in text


def test_what_is_not_there_is_told(toy: Toy) -> None:
    """No run, no sweep: nothing is written."""
    with pytest.raises(RunNotFound):
        run_report(asked("run=latest"))
    with pytest.raises(SweepNotFound):
        run_report(asked("sweep=latest"))
    assert not (toy.folder / ".headrace" / "reports").exists()


def test_words_load_nothing_heavy() -> None:
    """A typo is told without pandas or a chart library."""
    heavy = "('pandas', 'altair', 'vl_convert')"
    code = f"import sys; import flows.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
