"""`headrace sweeps` and `best`, and what `runs` and `show` say of sweeps."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.sweep_files import SweepFiles
from headrace.commands.screen import Screen
from headrace.core.sweep import SweepRecord, TrialRecord, TrialState, as_params
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]

ROOT = Path(__file__).parents[2]
OLD, MIDDLE, NEW = "20260101-000000-aaaaaaa", "20260102-000000-bbbbbbb", "20260103-000000-ccccccc"
FAILING = "    if factor == 13:\n        raise ValueError('no 13 here')\n    CALLS.append(\"double\")"


def python(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False)


def train(*words: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "flows.train", *words)


def trial(number: int, state: TrialState = "succeeded", **metrics: float) -> TrialRecord:
    words = [f"model.C={number}"]
    return TrialRecord(
        number=number, overrides=words, params=as_params(words), state=state, run=f"run-{number}",
        metrics=metrics, seconds=1.5, error="stage train failed: no\nmore" if state == "failed" else None,
    )  # fmt: skip


@pytest.fixture
def write(project: Path) -> Callable[..., SweepRecord]:
    """Write a sweep's record by hand, in the project's folder."""

    def make(sweep_id: str = NEW, *trials: TrialRecord, **changes: Any) -> SweepRecord:
        record = SweepRecord(**{
            "id": sweep_id, "experiment": "toy", "flow": "train", "command": "python -m flows.train -m …",
            "overrides": [], "state": "succeeded", "started": "2026-01-01T00:00:00+00:00", "seconds": 3.0,
            "objective": {"x": "maximize"}, "fixed": ["+experiment=toy", "++publish=False"],
            "trials": list(trials), "resume": f"python -m flows.train -m resume={sweep_id}", **changes,
        })  # fmt: skip
        SweepFiles(Path(".headrace/sweeps")).write(record)
        return record

    return make


class TestARealSweep:
    def test_from_the_sweep_to_the_published_model(self, toy: Toy, ask: Ask) -> None:
        """Its jobs are listed, shown best first and found among the runs; what `best` prints publishes."""
        toy.code = toy.code.replace('    CALLS.append("double")', FAILING)
        toy.write()
        done = train(
            *("-m", "+experiment=toy", "pipeline=bare", "stages.double.params.factor=2,13,4"),
            *("stages.judge.params.limit=90", "sweep.objective=total", "hydra.launcher.n_jobs=1"),
        )
        assert done.returncode == 1, done.stderr
        (head,) = ask("sweeps", "--json").json
        assert (head["state"], head["jobs"]) == ("failed", {"succeeded": 2, "failed": 1})
        assert head["best"]["metrics"] == {"total": 24.0}
        told = ask("sweeps", "latest")
        rows = [line.split()[0] for line in told.lines if line.endswith(("  2", "  4", "  13"))]
        assert rows == ["2", "0", "1"]
        assert "job 1 failed: stage double failed: ValueError: no 13 here" in told.lines
        (log,) = [line.split(": ")[1] for line in told.lines if "its log" in line]
        assert "no 13 here" in Path(log).read_text()
        assert ask("sweeps", head["id"], "--json").json["trials"][2]["params"] == {
            "stages.double.params.factor": "4"
        }
        runs = ask("runs", "--sweep", "latest", "--json").json
        assert sorted((run["trial"], run["state"]) for run in runs) == [
            (0, "succeeded"), (1, "failed"), (2, "succeeded"),
        ]  # fmt: skip
        assert f"sweep     {head['id']}, job 2  stages.double.params.factor=4" in (
            ask("show", head["best"]["run"]).lines
        )
        again = train("-m", "resume=latest")
        assert (again.returncode, f"sweep     {head['id']}  (failed" in again.stdout) == (1, True), (
            again.stderr
        )
        best = ask("best", "latest")
        (command,) = best.lines
        assert best.err == ""
        alone = python(*shlex.split(command)[1:])
        assert alone.returncode == 0, alone.stdout + alone.stderr
        assert "published toy version 1" in alone.stdout
        assert ask("show", "latest", "--json").json["metrics"] == {"total": 24}
        assert ask("runs", "--sweep", "latest", "--json").json == runs


class TestList:
    def test_the_newest_comes_first(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """A line a sweep: id, experiment, state, seconds, the best value and jobs by state."""
        write(OLD, trial(0, x=1.0))
        write(NEW, trial(0, x=1.0), trial(1, x=2.5), trial(2, "failed"), experiment="other")
        lines = ask("sweeps").lines
        assert [line.split()[:3] for line in lines] == [
            [NEW, "other", "succeeded"],
            [OLD, "toy", "succeeded"],
        ]
        assert lines[0].endswith("3.0 s  x 2.5  (job 1; 2 succeeded, 1 failed)")

    def test_filters_and_order(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Experiment, state, age, order and how many."""
        write(OLD, trial(0), started="2025-01-01T00:00:00+00:00", seconds=9.0)
        write(MIDDLE, trial(0), trial(1), state="failed", seconds=1.0)
        write(NEW, experiment="other", started="2026-01-03T00:00:00+00:00")

        def ids(*words: str) -> list[str]:
            return [head["id"] for head in ask("sweeps", "--json", *words).json]

        assert ids("--experiment", "other") == [NEW]
        assert ids("--state", "failed") == [MIDDLE]
        assert ids("--since", "2026-01-01") == [NEW, MIDDLE]
        assert ids("--sort", "seconds") == [OLD, NEW, MIDDLE]
        assert ids("--sort", "jobs") == [MIDDLE, OLD, NEW]
        assert ids("--sort", "experiment", "--reverse") == [NEW, OLD, MIDDLE]
        assert ask("sweeps", "-n", "1").lines[-1] == "… and 2 more; for all of them, type: -n 3"
        assert ask("sweeps", "--state", "killed").lines == ["no sweep here is like that"]
        assert ask("sweeps", "--since", "soon").code == 2

    def test_nobody_is_at_a_killed_sweep(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """A record that says running is believed only while a process holds the sweep."""
        write(NEW, trial(0, "running"), state="running")
        with SweepFiles(Path(".headrace/sweeps")).hold(NEW):
            (running,) = ask("sweeps", "--json").json
            assert (running["state"], running["jobs"]) == ("running", {"running": 1})
            assert "to go on" not in ask("sweeps", NEW).out
        assert [head["id"] for head in ask("sweeps", "--state", "killed", "--json").json] == [NEW]
        told = ask("sweeps", NEW)
        assert f"sweep     {NEW}  (killed, 3.0 s)" in told.lines
        assert "jobs      1 interrupted" in told.lines
        assert told.lines[-1] == f"python -m flows.train -m resume={NEW}"
        shown = ask("sweeps", NEW, "--json").json
        assert (shown["state"], shown["trials"][0]["state"]) == ("killed", "interrupted")

    def test_an_empty_project(self, ask: Ask) -> None:
        """No sweep at all is no error, and leaves nothing behind."""
        assert ask("sweeps").lines == ["no sweep here is like that"]
        assert not Path(".headrace").exists()

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 99}', "[" * 100_000])
    def test_a_damaged_record_is_passed_over(
        self, write: Callable[..., SweepRecord], ask: Ask, text: str
    ) -> None:
        """It is named on stderr; asked for by id, the answer is why it cannot be read."""
        write(OLD, trial(0, x=1.0))
        file = Path(".headrace/sweeps") / NEW / "sweep.json"
        file.parent.mkdir()
        file.write_text(text)
        told = ask("sweeps", "--json")
        assert [head["id"] for head in told.json] == [OLD]
        assert f"warning: passed over sweep {NEW}" in told.err
        latest = ask("sweeps", "latest", "--json")
        assert (latest.json["id"], NEW in latest.err) == (OLD, True)
        for command in ("sweeps", "best"):
            refused = ask(command, NEW)
            assert (refused.code, "cannot be read" in refused.err) == (1, True)

    @pytest.mark.parametrize("name", [field.name for field in fields(SweepRecord)])
    def test_a_field_of_another_type(self, write: Callable[..., SweepRecord], ask: Ask, name: str) -> None:
        """Each command answers, or says what is wrong; the good sweep stays in the list."""
        write(OLD, trial(0, x=1.0))
        good = write(NEW, trial(0, x=1.0)).to_json()
        for other in (None, 5, "x", [1], {"a": [1]}, {"x": None}):
            (Path(".headrace/sweeps") / NEW / "sweep.json").write_text(json.dumps(good | {name: other}))
            for words in (("sweeps",), ("sweeps", NEW), ("best", NEW), ("sweeps", NEW, "--json")):
                assert ask(*words).code in (0, 1, 2)
            assert OLD in ask("sweeps").out


class TestNames:
    def test_a_beginning_and_the_latest(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Of all sweeps or of an experiment."""
        write(OLD, trial(0, x=1.0), experiment="old")
        write(NEW, trial(0, x=1.0))
        for name, wanted in ((OLD[:8], OLD), ("latest", NEW), ("latest:old", OLD), (NEW, NEW)):
            assert ask("sweeps", name, "--json").json["id"] == wanted
            assert ask("best", name, "--json").json["sweep"] == wanted

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("20260103-000000-cccccc1", f"did you mean {NEW}?"),
            ("1999", f"there are: {OLD}, {NEW}"),
            ("2026", "begins 2 sweeps"),
            ("latest:tyo", "did you mean latest:toy?"),
            ("toy", "headrace sweeps --experiment toy"),
            ("", "there is no sweep ''"),
            (f"../sweeps/{NEW}", "there is no sweep"),
        ],
    )
    def test_names_that_lead_nowhere(
        self, write: Callable[..., SweepRecord], ask: Ask, name: str, said: str
    ) -> None:
        """Each command says what there is, with exit code 1."""
        write(OLD)
        write(NEW)
        for command in ("sweeps", "best"):
            told = ask(command, name)
            assert (told.code, told.out, said in told.err) == (1, "", True), told.err

    def test_runs_whose_sweep_is_gone(self, toy: Toy, ask: Ask) -> None:
        """`runs --sweep` knows a sweep by its runs too; another name leads nowhere."""
        record, _ = toy.run()
        file = Path(".headrace/runs") / record.id / "run.json"
        of_sweep = {"id": NEW, "trial": 3, "overrides": {"a": 1}}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"sweep": of_sweep}))
        assert [run["trial"] for run in ask("runs", "--sweep", NEW[:10], "--json").json] == [3]
        assert ask("runs", "--sweep", "latest").lines[0].split()[:3] == [record.id, "job", "3"]
        assert ask("runs").lines[0].endswith(f"job 3 of {NEW}")
        assert "there is no sweep '1999'" in ask("runs", "--sweep", "1999").err

    @pytest.mark.parametrize("found", [{}, {"id": 5}, {"id": NEW, "trial": "x", "overrides": [1]}])
    def test_a_run_that_says_odd_things_of_its_sweep(self, toy: Toy, ask: Ask, found: Any) -> None:
        """It is listed and shown all the same."""
        record, _ = toy.run()
        file = Path(".headrace/runs") / record.id / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"sweep": found}))
        assert record.id in ask("runs").out
        assert ask("show", record.id).code == 0


class TestOne:
    def test_everything_of_it(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Objective, counts, every job, why jobs failed, where to look, what was published."""
        published = {"model": "toy", "version": 2, "alias": "production", "commit": "c0ffee" * 4}
        rows = [trial(number, x=float(number)) for number in range(30)]
        write(
            NEW, *rows, trial(30, "failed"), trial(31, "waiting"), state="interrupted",
            prefect={"url": "http://prefect/run"}, published=published, error="stopped by hand",
        )  # fmt: skip
        lines = ask("sweeps", NEW).lines
        for wanted in (
            "objective maximize x", "jobs      30 succeeded, 1 failed, 1 waiting",
            "job 30 failed: stage train failed: no", "Prefect   http://prefect/run",
            "published toy version 2, alias production, lake c0ffeec0ffee",
            f"best      job 29; to publish it: headrace best {NEW}", "interrupted: stopped by hand",
            f"python -m flows.train -m resume={NEW}",
        ):  # fmt: skip
            assert wanted in lines
        (start,) = [number for number, line in enumerate(lines) if line.startswith("job  x ")]
        assert [line.split()[0] for line in lines[start + 1 :][:32]] == [
            *map(str, reversed(range(30))), "30", "31",
        ]  # fmt: skip

    def test_a_sweep_that_is_finished_has_nothing_to_go_on_with(
        self, write: Callable[..., SweepRecord], ask: Ask
    ) -> None:
        """No resume command, and without an objective the way to name one."""
        write(NEW, trial(0, x=1.0), objective={})
        told = ask("sweeps", NEW)
        assert "resume=" not in told.out
        assert f"headrace best {NEW} --by <metric>" in told.out

    def test_what_others_wrote_moves_no_cursor(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Control characters of a record never reach the terminal."""
        evil = "\x1b[2J"
        odd = trial(0, "failed")
        odd.error, odd.params = f"no {evil}", {"a": evil}
        write(NEW, odd, experiment=f"toy{evil}", command=evil, error=evil, prefect={"url": evil})
        for words in (("sweeps",), ("sweeps", NEW)):
            assert "\x1b" not in ask(*words).out

    def test_it_fits_a_terminal(
        self, write: Callable[..., SweepRecord], ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With 80 columns nothing is longer but paths and commands to type, and states are not cut."""
        wide = trial(0, x=1.0)
        wide.params = {f"stages.some_stage.params.param_{n}": "a long value" for n in range(9)}
        failed = trial(1, "failed")
        failed.error = "a long text " * 30
        write(NEW, wide, failed, trial(2, "interrupted"), experiment="a_very_long_experiment_name")
        monkeypatch.setattr(Screen, "of_stdout", classmethod(lambda cls, options="": cls(80, options)))
        for words in (("sweeps",), ("sweeps", NEW)):
            told = ask(*words)
            assert told.code == 0
            for line in told.lines:
                assert len(line) <= 80 or ".headrace/" in line or line.startswith("python"), line
        assert {"succeeded", "failed", "interrupted"} <= set(told.out.split())


class TestBest:
    def test_one_line_that_can_be_run(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Everything that the job had but what kept it from being published, quoted for a shell."""
        best = trial(7, x=2.0)
        best.overrides = ["model.hidden=[1, 2]"]
        write(NEW, trial(0, x=1.0), best, trial(8, "failed"))
        told = ask("best", NEW)
        assert told.lines == ["python -m flows.train +experiment=toy 'model.hidden=[1, 2]'"]
        assert told.err == ""
        assert ask("best", NEW, "--json").json == {
            "sweep": NEW,
            "command": told.lines[0],
            "job": 7,
            "run": "run-7",
            "metrics": {"x": 2.0},
            "params": {"model.C": "7"},
            "overrides": ["+experiment=toy", "model.hidden=[1, 2]"],
        }

    def test_by_another_metric(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """A direction that is not said is guessed by the name; a metric may have a colon in its own."""
        more = {"log_loss": 0.5, "a:b": 1.0}
        write(NEW, trial(0, x=1.0, **more), trial(1, x=2.0, log_loss=0.9, **{"a:b": 2.0}))

        def job(*words: str) -> int:
            return int(ask("best", NEW, "--json", *words).json["job"])

        assert job() == 1
        assert job("--by", "log_loss") == 0
        assert job("--by", "log_loss:maximize") == 1
        assert job("--by", "x:minimize") == 0
        assert job("--by", "a:b") == 1
        assert job("--by", "a:b:minimize") == 0

    def test_without_an_objective(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """Exit code 2, and a command that works."""
        write(NEW, trial(0, log_loss=0.5), trial(1, log_loss=0.4), objective={})
        told = ask("best", NEW)
        assert (told.code, told.out) == (2, "")
        hint = told.err.splitlines()[-1]
        assert hint == f"type: headrace best {NEW} --by log_loss:minimize"
        assert ask(*shlex.split(hint)[2:]).lines == ["python -m flows.train +experiment=toy model.C=1"]

    @pytest.mark.parametrize(
        ("by", "said"),
        [
            ("acuracy", "did you mean --by accuracy?"),
            ("acuracy:maximize", "did you mean --by accuracy?"),
            ("accuracy:maximise", "did you mean accuracy:maximize?"),
        ],
    )
    def test_words_that_mean_nothing(
        self, write: Callable[..., SweepRecord], ask: Ask, by: str, said: str
    ) -> None:
        """Exit code 2, and what to type."""
        write(NEW, trial(0, accuracy=0.5))
        told = ask("best", NEW, "--by", by)
        assert (told.code, told.out, said in told.err) == (2, "", True), told.err

    @pytest.mark.parametrize("objective", [{"x": "maximize"}, {}])
    def test_no_job_with_a_result(
        self, write: Callable[..., SweepRecord], ask: Ask, objective: dict[str, str]
    ) -> None:
        """Exit code 1, and in which states the jobs are."""
        write(NEW, trial(0, "failed"), trial(1, "waiting"), objective=objective)
        told = ask("best", NEW)
        assert (told.code, told.out) == (1, "")
        assert "1 failed, 1 waiting" in told.err

    def test_a_secret_is_told_of(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """The record does not hold it, so the command cannot; stderr says so, stdout is one line."""
        write(NEW, trial(0, x=1.0), fixed=["+experiment=toy", "+vars.password=<redacted>"])
        told = ask("best", NEW)
        assert len(told.lines) == 1
        assert "+vars.password is secret" in told.err

    def test_what_else_one_should_know(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """That the gate says no, and that the sweep still runs, are told on stderr."""
        write(NEW, trial(0, "rejected", x=1.0), trial(1, "running"), state="running")
        assert ask("best", NEW).err == "note: the gate says no to job 0, and will again\n"
        with SweepFiles(Path(".headrace/sweeps")).hold(NEW):
            assert "still runs: this is the best so far" in ask("best", NEW).err

    def test_several_objectives(self, write: Callable[..., SweepRecord], ask: Ask) -> None:
        """The first of the front; JSON has all of it."""
        write(
            NEW, trial(0, x=1.0, y=3.0), trial(1, x=2.0, y=2.0), trial(2, x=3.0, y=1.0),
            objective={"x": "maximize", "y": "minimize"},
        )  # fmt: skip
        told = ask("best", NEW)
        assert (told.lines, told.err) == (["python -m flows.train +experiment=toy model.C=2"], "")
        write(
            MIDDLE, trial(0, x=1.0, y=1.0), trial(1, x=2.0, y=2.0), trial(2, x=1.0, y=3.0),
            objective={"x": "maximize", "y": "minimize"},
        )  # fmt: skip
        told = ask("best", MIDDLE)
        assert told.lines == ["python -m flows.train +experiment=toy model.C=0"]
        assert "0, 1" in told.err
        front = ask("best", MIDDLE, "--json").json["front"]
        assert [(one["job"], one["metrics"]) for one in front] == [
            (0, {"x": 1.0, "y": 1.0}), (1, {"x": 2.0, "y": 2.0}),
        ]  # fmt: skip
        assert front[1]["overrides"] == ["+experiment=toy", "model.C=1"]


def test_looking_at_sweeps_loads_no_library(write: Callable[..., SweepRecord], ask: Ask) -> None:
    """The list and one sweep import neither a data library nor Hydra nor what draws progress."""
    write(NEW, trial(0, x=1.0))
    code = (
        "import sys\n"
        "from headrace.cli import main\n"
        "for words in (['sweeps'], ['sweeps', 'latest']):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as left:\n"
        "        assert not left.code\n"
        "print(*[name for name in sys.argv[1:] if name in sys.modules], file=sys.stderr)\n"
    )
    heavy = (
        "pandas",
        "numpy",
        "pyarrow",
        "torch",
        "sklearn",
        "prefect",
        "wandb",
        "hydra",
        "omegaconf",
        "rich",
    )
    done = python("-c", code, *heavy)
    assert (done.returncode, done.stderr.split()) == (0, []), done.stderr
    assert NEW in done.stdout
