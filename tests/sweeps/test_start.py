"""Grids from their command to their record, in worker processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
from typing import Any

import pytest

from headrace.adapters import workers_process
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN

from .lab import Lab, is_gone, lab, until

__all__ = ["lab"]

ONE = "hydra.launcher.n_jobs=1"
TWO = "hydra.launcher.n_jobs=2"
LIMIT = "stages.judge.params.limit"


def published(lab: Lab) -> list[Any]:
    """Return the models on `main`, in the order of their versions."""
    lake = EmbeddedLake(lab.folder / ".headrace" / "lake")
    paths = (info.path for info in lake.list(MAIN, prefix="models/lab/"))
    packages = sorted(path for path in paths if path.endswith("/package.json"))
    return [json.loads(lake.local_path(MAIN, path).read_bytes()) for path in packages]


class TestSharing:
    @pytest.mark.parametrize(
        "words",
        [
            ("model.C=1,2,3,4,5,6", f"{LIMIT}=100,1000", ONE),
            (f"{LIMIT}=100,1000", "model.C=6,5,4,3,2,1", TWO),
        ],
        ids=["one worker", "two workers, the other order"],
    )
    def test_what_jobs_share_executes_once(self, lab: Lab, words: tuple[str, ...]) -> None:
        """Of twelve jobs each stage executes once a distinct input, and the plan has said so before."""
        told = lab.sweep(*words)
        assert told.code == 0, told.err
        assert told.err.splitlines()[:2] == [
            "12 jobs, 60 stage runs: 32 distinct stages, 0 cached already, 32 to execute",
            "once for all jobs: load, split",
        ]
        assert lab.calls() == {"load": 1, "split": 1, **{f"fit C={C}": 1 for C in range(1, 7)}}
        assert [trial.state for trial in lab.record.trials] == ["succeeded"] * 12
        for trial in lab.record.trials:
            assert trial.metrics["score"] == 6 * int(trial.params["model.C"])

    def test_words_keep_their_order(self, lab: Lab) -> None:
        """A job has its words as they were planned: that it publishes nothing comes after the alias."""
        told = lab.sweep("publish.alias=a,b", ONE)
        assert told.code == 0, told.err
        assert {trial.state for trial in lab.record.trials} <= {"succeeded", "cached"}

    def test_the_same_again_starts_nothing(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jobs that an earlier sweep had are cached; where all are, no process is started."""
        lab.sweep("model.C=1", ONE)
        told = lab.sweep("model.C=1,2", ONE)
        assert told.err.startswith("2 jobs, 10 stage runs: 8 distinct stages, 5 cached already, 3 to execute")
        second = lab.record
        assert [trial.state for trial in second.trials] == ["cached", "succeeded"]

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a worker is started")

        monkeypatch.setattr(workers_process, "ProcessPoolExecutor", refuse)
        told = lab.sweep("model.C=1,2", ONE)
        assert told.code == 0, told.err
        assert told.err.startswith("2 jobs, 10 stage runs: 8 distinct stages, 8 cached already, 0 to execute")
        third = lab.record
        assert third.id != second.id
        assert [trial.state for trial in third.trials] == ["cached"] * 2
        assert [(t.run, t.metrics) for t in third.trials] == [(t.run, t.metrics) for t in second.trials]
        assert not (lab.files.folder(third.id) / "jobs").exists()
        assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 1, "fit C=2": 1}


class TestFailure:
    FAILS = "if C == 2:\n    raise ValueError('no 2 here')"

    def test_one_job_fails_alone(self, lab: Lab) -> None:
        """The best of the others is published; the end says which job failed, why, and where its log is."""
        lab.write(self.FAILS)
        told = lab.sweep("model.C=1,2,3", "sweep.objective=score", "sweep.publish=best", ONE)
        assert told.code == 1, told.err
        assert [trial.state for trial in lab.record.trials] == ["succeeded", "failed", "succeeded"]
        assert lab.record.state == "failed"
        lines = told.out.splitlines()
        at = lines.index("job 1 failed: stage fit failed: ValueError: no 2 here")
        log = lines[at + 1].removeprefix("  its log: ")
        assert "no 2 here" in (lab.folder / log).read_text()
        assert published(lab) == [{"weights": [3, 6, 9]}]

    def test_stop_starts_no_other(self, lab: Lab) -> None:
        """With on_failure=stop what waits is left, and the end says how to go on."""
        lab.write(self.FAILS)
        told = lab.sweep("model.C=1,2,3,4", "hydra.launcher.on_failure=stop", ONE)
        assert told.code == 1
        assert [trial.state for trial in lab.record.trials] == ["succeeded", "failed", "waiting", "waiting"]
        assert set(lab.calls()) == {"load", "split", "fit C=1", "fit C=2"}
        assert told.out.splitlines()[-1] == lab.record.resume

    def test_a_killed_worker_is_replaced(self, lab: Lab) -> None:
        """Its job is tried once more; one that kills both workers has failed, and the others go on."""
        lab.write("""
            if C == 3 or (C == 1 and not Path("died").exists()):
                Path("died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        """)
        told = lab.sweep("model.C=1,3", ONE)
        assert told.code == 1
        found = [(trial.state, trial.attempts) for trial in lab.record.trials]
        assert found == [("succeeded", 2), ("failed", 2)]
        assert "job 1 failed: its worker died, 2 times" in told.out
        assert "the worker of job 0 died; it starts again" in told.err
        assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 2, "fit C=3": 2}


class TestPublish:
    def test_none_or_the_best(self, lab: Lab) -> None:
        """Jobs publish nothing of their own accord; publish=best publishes the first by the objective.

        A best one that the gate rejects is exit code 3, and the next best is not taken in its place.
        """
        words = ("model.C=1,3", f"{LIMIT}=10", ONE)
        assert lab.sweep(*words).code == 0
        assert [trial.state for trial in lab.record.trials] == ["succeeded", "rejected"]
        assert published(lab) == []
        told = lab.sweep(*words, "sweep.objective=score", "sweep.publish=best")
        assert (told.code, published(lab)) == (3, []), told.err
        told = lab.sweep(*words, "sweep.objective={score: minimize}", "sweep.publish=best")
        assert (told.code, published(lab)) == (0, [{"weights": [1, 2, 3]}]), told.err
        assert lab.record.published is not None
        assert lab.record.published["version"] == 1
        assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 1, "fit C=3": 1}

    def test_no_best(self, lab: Lab) -> None:
        """Where no job has a result nothing is published, which is exit code 1."""
        told = lab.sweep(
            "model.C=interval(1,9)", "sweep.objective=score", "sweep.publish=best", ONE,
            "hydra.sweeper.sampler={_target_: optuna.samplers.RandomSampler}", "hydra.sweeper.minutes=1e-9",
        )  # fmt: skip
        assert told.code == 1
        assert told.err.endswith("nothing is published: no job has a result\n")
        assert lab.record.trials == []

    def test_all(self, lab: Lab) -> None:
        """With publish=all every job publishes, as if it ran alone."""
        told = lab.sweep("model.C=1,2", "sweep.publish=all", ONE)
        assert told.code == 0, told.err
        assert published(lab) == [{"weights": [1, 2, 3]}, {"weights": [2, 4, 6]}]


@pytest.mark.parametrize(
    "words", [("+vars.password=hush,sesame",), ("+vars.password=choice(hush,sesame)", "+sweep=random")]
)
def test_a_secret_is_not_swept(lab: Lab, words: tuple[str, ...]) -> None:
    """What sets jobs apart is in every record and table: a secret there is exit code 2."""
    told = lab.sweep(*words)
    assert told.code == 2
    assert "vars.password: is secret" in told.err
    assert "sesame" not in told.err + told.out
    assert lab.files.ids() == []


def test_an_interrupt_ends_the_jobs(lab: Lab) -> None:
    """Exit code 130, a table, as the last line the command that goes on, and no process is left."""
    lab.write("if C == 2: wait_for('go')")
    process = lab.start("-m", "+experiment=lab", "model.C=1,2,3", ONE)
    (worker,) = until(lab.waiting)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert until(lambda: is_gone(worker))
    record = lab.record
    assert record.state == "interrupted"
    assert [trial.state for trial in record.trials] == ["succeeded", "interrupted", "waiting"]
    lines = out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("job  "))
    assert [line.split()[0] for line in lines[head + 1 :][:3]] == ["0", "1", "2"]
    (lab.folder / "go").touch()
    told = lab.train(*shlex.split(lines[-1])[3:])
    assert told.code == 0, told.err
    assert [trial.state for trial in lab.record.trials] == ["succeeded"] * 3
    assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 1, "fit C=2": 2, "fit C=3": 1}
