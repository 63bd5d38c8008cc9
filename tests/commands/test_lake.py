"""`headrace lake`: which lake it opens, what its output fits into, and what it costs."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from headrace.core.ports import MAIN, LakeStore

from .conftest import Ask

Commit = Callable[..., str]
ROOT = Path(__file__).parents[2]
VERBS = ("log", "diff", "show", "branches", "tag", "revert", "gc", "import", "init", "pin", "unpin")
COMMAND = (sys.executable, "-c", "from headrace.cli import main; main()", "lake")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **more}


def in_terminal(words: Sequence[str], columns: int) -> list[str]:
    """Return the lines that a command prints to a terminal of this width."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.Popen([*COMMAND, *words], stdout=theirs, env=environment(COLUMNS=str(columns)))
        os.close(theirs)
        chunks = []
        try:
            while chunk := os.read(ours, 65_536):
                chunks.append(chunk)
        except OSError:  # how Linux says that nobody writes any more
            pass
        assert done.wait() == 0
    finally:
        os.close(ours)
    return b"".join(chunks).decode().splitlines()


def write_conf(project: Path, name: str, text: str) -> None:
    file = project / "conf" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_lake_is_the_one_that_a_run_would_use(ask: Ask, project: Path) -> None:
    """A project's own conf/train.yaml chooses the lake and the folder of its state."""
    train = "defaults: [_self_, {lake: ours}]\nname: ???\nheadrace_dir: state\nplace: here\n"
    write_conf(project, "train.yaml", train)
    ours = "_target_: headrace.adapters.lake_embedded.EmbeddedLake\nroot: ${headrace_dir}/${place}\n"
    write_conf(project, "lake/ours.yaml", ours)
    assert ask("lake", "init", "--json").json == {"created": True}
    assert (project / "state" / "here").is_dir()
    assert not (project / ".headrace").exists()


@pytest.mark.parametrize(
    "words",
    ["log", "diff main", "show main", "branches", "tag", "tag v1", "tag -d v1", "revert main", "gc",
     "gc --dry-run", "pin r1", "unpin r1"],
)  # fmt: skip
def test_no_lake_is_told_and_none_is_made(words: str, ask: Ask, project: Path) -> None:
    """Only `init` and `import` make a lake; a question in a wrong folder leaves nothing there."""
    said = ask("lake", *words.split())
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: no lake here ({project / '.headrace' / 'lake'}); a first run")
    assert list(project.iterdir()) == []


def test_a_lake_may_depend_on_the_pipeline(ask: Ask, project: Path) -> None:
    """What lies in the pipeline's file is composed when the lake asks for it."""
    write_conf(project, "pipeline/train.yaml", "# @package _global_\nvars: {place: below}\n")
    lake = "_target_: headrace.adapters.lake_embedded.EmbeddedLake\nroot: ${headrace_dir}/${vars.place}\n"
    write_conf(project, "lake/embedded.yaml", lake)
    assert ask("lake", "init").code == 0
    assert (project / ".headrace" / "below").is_dir()


def test_options_choose_and_change_the_lake(ask: Ask, project: Path) -> None:
    """`--lake` chooses an option, each `-o` changes the config."""
    words = ["--lake", "embedded", "-o", "headrace_dir=state", "-o", "lake.root=elsewhere"]
    assert ask("lake", "init", *words).code == 0
    assert [path.name for path in project.iterdir()] == ["elsewhere"]


@pytest.mark.parametrize(
    ("words", "hints"),
    [
        (["--lake", "embeded"], ["there is no lake 'embeded'", "did you mean --lake embedded?"]),
        (["-o", "lake.rot=x"], ["no such key", "did you mean -o lake.root=x?"]),
        (["-o", "+lake.rot=x"], ["has no argument 'rot'", "did you mean lake.root?"]),
        (["-o", "headrace_dir="], ["headrace_dir: has no value"]),
        (["-o", "lake.root=${nothing}"], ["lake.root", "nothing"]),
        (["-o", "lake._target_=headrace.adapters.lake_embedded.Embedded"], ["EmbeddedLake"]),
    ],
)
def test_a_wrong_config_is_told_before_the_lake_is_opened(
    words: list[str], hints: list[str], ask: Ask, project: Path
) -> None:
    """A config that names no lake ends with exit code 2 and what to type; nothing is written."""
    said = ask("lake", "log", *words)
    assert (said.code, said.out) == (2, "")
    for hint in hints:
        assert hint in said.err
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_one_screen(verb: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help of `lake` and of each verb fits 80 columns and 24 lines."""
    monkeypatch.setenv("COLUMNS", "80")
    said = ask("lake", *([verb] if verb else []), "--help")
    assert said.code == 0
    assert len(said.lines) <= 24
    assert max(map(len, said.lines)) <= 80


def test_lines_fit_the_terminal(commit: Commit, lake: LakeStore) -> None:
    """On a terminal messages and paths are cut, ids never; into a pipe everything goes whole."""
    text = "a message that goes on and on " * 4
    head = commit({"deep/" * 20 + "x": "1"}, message=text, metadata={"run": "r" * 20, "note": text})
    lake.create_branch("run-20260102-030405-abcdef", MAIN)
    commands = ("log", "branches", "diff main~1 main", "show main", f"show {head} /")
    log, branches, diff, show, listing = [in_terminal(words.split(), 80) for words in commands]
    assert max(map(len, [*log, *branches, *diff, *show, *listing])) <= 80
    assert f"commit   {head}" in show
    assert log[0].startswith(head[:12])
    assert log[0].endswith(f"…  (run {'r' * 20})")
    assert diff[0].endswith("/deep/x")
    piped = subprocess.run([*COMMAND, "log"], env=environment(), capture_output=True, text=True, check=True)
    assert text.rstrip() in piped.stdout


def test_a_terminal_gets_200_lines_of_a_diff(commit: Commit) -> None:
    """On a terminal a long diff ends with how much is left; a pipe gets all of it."""
    commit({f"{number:03}": "1" for number in range(250)})
    lines = in_terminal(["diff", "main~1", MAIN], 80)
    assert len(lines) == 201
    assert lines[-1] == "… and 50 more"
    command = [*COMMAND, "diff", "main~1", MAIN]
    piped = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert len(piped.stdout.splitlines()) == 250


def test_a_reader_that_has_enough_ends_it_quietly(commit: Commit) -> None:
    """`headrace lake diff … | head -1` prints a line and no complaint."""
    commit({f"{'long/' * 30}{number:04}": "1" for number in range(2000)})
    writer = subprocess.Popen(
        [*COMMAND, "diff", "main~1", MAIN],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    with writer.stdout, writer.stderr:
        assert writer.stdout.readline().startswith(b"+ long/")
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.wait() == 141


def test_the_log_loads_no_data_library(commit: Commit) -> None:
    """`headrace lake log` imports neither a data library nor a service's client."""
    commit({"a": "1"})
    code = (
        "import sys\n"
        "from headrace.cli import main\n"
        "try:\n"
        "    main(['lake', 'log'])\n"
        "except SystemExit as left:\n"
        "    assert not left.code\n"
        "print(*[name for name in sys.argv[1:] if name in sys.modules], file=sys.stderr)\n"
    )
    heavy = ("pandas", "numpy", "pyarrow", "pandera", "lakefs_client", "urllib3", "prefect", "wandb", "rich")
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], env=environment(), capture_output=True, text=True, check=True
    )
    assert "change files" in done.stdout
    assert done.stderr.split() == []


def test_a_branch_line_does_not_say_its_run_twice(project: Path, lake: LakeStore) -> None:
    """At 80 columns the message stays whole: the run's id stands in the name already."""
    run = "20261124-072602-6fe917"
    lake.create_branch(f"run-{run}", "main")
    lake.commit(f"run-{run}", f"publish of run {run}", allow_empty=True)
    (line,) = in_terminal(["branches", "run-"], 80)
    assert line.endswith("publish of run …")
    assert len(line) <= 80
