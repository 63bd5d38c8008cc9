"""Sweeps that were killed, and go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from headrace.core.sweep import SweepRecord, TrialRecord
from headrace.errors import ConfigError
from headrace.sweeps.resume import find_sweep, resumed_id, resumed_words

from .lab import Lab, is_gone, lab, until

__all__ = ["lab"]

ONE = "hydra.launcher.n_jobs=1"
WAITS_AT_2 = "if C == 2: wait_for('go')"
OLD, NEW = "20260101-000000-aaaaaaa", "20260102-000000-bbbbbbb"

SEARCH = """
# @package _global_
defaults: [lab, _self_]
sweep: {objective: score}
hydra:
  sweeper:
    sampler: {_target_: optuna.samplers.GridSampler}
    params: {model.C: "range(1,5)"}
"""


def kill(lab: Lab, *words: str) -> None:
    """Start a sweep and kill it while one of its jobs waits; its worker ends by itself."""
    process = lab.start("-m", *words, ONE)
    (worker,) = until(lab.waiting)
    until(lambda: lab.trial(C=2).state == "running")  # that it runs is written down soon after it does
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: is_gone(worker))


class TestAfterAKill:
    def test_a_grid_goes_on(self, lab: Lab) -> None:
        """What ended is kept, the rest runs, with the config that the sweep began with."""
        lab.write(WAITS_AT_2)
        kill(lab, "+experiment=lab", "model.C=1,2,3", "sweep.objective=score")
        killed = lab.record
        assert killed.state == "running"
        assert [trial.state for trial in killed.trials] == ["succeeded", "running", "waiting"]
        for file in ("experiment/lab", "model/line"):  # what is edited meanwhile is of no account
            path = lab.folder / "conf" / f"{file}.yaml"
            path.write_text(
                path.read_text().replace("limit: 1000", "limit: 1").replace("C: 1", "C: 1\nnew: 1")
            )
        (lab.folder / "go").touch()
        told = lab.train("-m", f"resume={killed.id}", ONE)
        assert told.code == 0, told.err
        record = lab.record
        assert record.id == killed.id
        assert [trial.state for trial in record.trials] == ["succeeded"] * 3
        assert record.trials[0] == killed.trials[0]
        assert [trial.overrides for trial in record.trials] == [trial.overrides for trial in killed.trials]
        assert record.state == "succeeded"
        assert 0 < killed.seconds < record.seconds
        assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 1, "fit C=2": 2, "fit C=3": 1}

    def test_a_search_goes_on(self, lab: Lab) -> None:
        """Numbers and points go on where they were, though its space was edited meanwhile."""
        lab.write(WAITS_AT_2)
        file = lab.folder / "conf" / "experiment" / "lab_search.yaml"
        file.write_text(SEARCH.lstrip())
        kill(lab, "+experiment=lab_search")
        killed = lab.record
        (cut,) = [trial for trial in killed.trials if trial.state == "running"]
        file.write_text(SEARCH.lstrip().replace("range(1,5)", "range(7,9)"))
        (lab.folder / "go").touch()
        told = lab.train("-m", "resume=latest", ONE)
        assert told.code == 0, told.err
        record = lab.record
        assert record.id == killed.id
        assert [trial.number for trial in record.trials] == [0, 1, 2, 3]
        assert [trial.state for trial in record.trials] == ["succeeded"] * 4
        assert record.trials[: cut.number] == killed.trials[: cut.number]
        assert record.trials[cut.number].params == cut.params == {"model.C": 2}
        assert sorted(trial.params["model.C"] for trial in record.trials) == [1, 2, 3, 4]
        assert lab.calls() == {
            "load": 1, "split": 1, "fit C=1": 1, "fit C=2": 2, "fit C=3": 1, "fit C=4": 1,
        }  # fmt: skip

    def test_a_failure_that_stops_it_is_a_failure(self, lab: Lab) -> None:
        """Jobs that the killed process left running, and nobody starts again, do not run any more."""
        lab.write("if C == 1: raise ValueError('no 1 here')")
        assert lab.sweep("model.C=1,2,3", "hydra.launcher.on_failure=stop", ONE).code == 1
        record = lab.record
        record.state = "running"
        record.trials[0].state = record.trials[1].state = "running"
        lab.files.write(record)
        told = lab.train("-m", f"resume={record.id}", ONE)
        assert told.code == 1, told.out
        assert lab.record.state == "failed"
        assert [trial.state for trial in lab.record.trials] == ["failed", "interrupted", "waiting"]
        assert told.out.splitlines()[-1] == record.resume

    def test_a_sweep_at_work_cannot_be_taken(self, lab: Lab) -> None:
        """A second process is told so, touches nothing, and the first one goes on."""
        lab.write(WAITS_AT_2)
        process = lab.start("-m", "+experiment=lab", "model.C=1,2", ONE)
        until(lab.waiting)
        until(lambda: lab.record.trials[1].state == "running")
        before = lab.files.file(lab.record.id).read_bytes()
        told = lab.train("-m", "resume=latest")
        assert told.code == 1
        assert "runs already, in another process" in told.err
        assert lab.files.file(lab.record.id).read_bytes() == before
        (lab.folder / "go").touch()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert [trial.state for trial in lab.record.trials] == ["succeeded"] * 2


class TestWords:
    @pytest.fixture(autouse=True)
    def sweeps(self, lab: Lab) -> None:
        for sweep_id, overrides in ((OLD, ["+experiment=lab"]), (NEW, ["+experiment=lab", "model.C=1,2"])):
            self.write(lab, sweep_id, overrides)

    def write(self, lab: Lab, sweep_id: str, overrides: list[str]) -> None:
        record = SweepRecord(
            id=sweep_id, experiment="lab", flow="train", command="c", overrides=overrides,
            state="interrupted", started="2026-01-01T00:00:00+00:00", seconds=0.0, objective={},
            trials=[TrialRecord(number=0, overrides=[], params={})],
        )  # fmt: skip
        lab.files.write(record)

    def test_its_own_and_new_ones_of_hydra(self) -> None:
        """The words of the sweep come back, and what is typed of Hydra goes behind them."""
        assert resumed_words(NEW, ["-m", f"resume={NEW}", ONE]) == [
            "-m", "+experiment=lab", "model.C=1,2", ONE,
        ]  # fmt: skip
        assert resumed_id("latest", []) == NEW

    @pytest.mark.parametrize(
        "word",
        ["model.C=5", "seed=1", "+experiment=other", "sweep.publish=best", "hydra.sweeper.params.seed=1"],
    )
    def test_a_word_of_a_job_is_refused(self, lab: Lab, word: str) -> None:
        """Exit code 2, by name: what a sweep runs is what it began with."""
        told = lab.train("-m", f"resume={NEW}", word)
        assert told.code == 2
        assert f"{word}: a sweep goes on with the config that it began with" in told.err

    def test_secrets_are_typed_again(self, lab: Lab) -> None:
        """A record holds none, so a sweep with one asks for it, and takes nothing else."""
        self.write(lab, NEW, ["+experiment=lab", "+vars.password=<redacted>"])
        with pytest.raises(ConfigError, match=r"type it again: \+vars\.password="):
            resumed_words(NEW, [f"resume={NEW}"])
        assert resumed_words(NEW, [f"resume={NEW}", "+vars.password=sesame"]) == [
            "-m", "+experiment=lab", "+vars.password=sesame",
        ]  # fmt: skip

    def test_a_sweep_that_is_not_there(self, lab: Lab, tmp_path: Path) -> None:
        """The nearest id is named, a damaged record is told, and so is that there is none at all."""
        with pytest.raises(ConfigError, match=f"did you mean resume={OLD}"):
            find_sweep(lab.files, OLD[:-1])
        lab.files.file(OLD).write_text("{")
        with pytest.raises(ConfigError, match="its record is damaged"):
            find_sweep(lab.files, OLD)
        with pytest.raises(ConfigError, match="there are no sweeps in"):
            resumed_id("latest", [f"headrace_dir={tmp_path}"])
