"""A sweep's objective that nothing logs, known before the first job or after it."""

from __future__ import annotations

import pytest

from headrace.assemble import prepare
from headrace.config.compose import compose
from headrace.core.sweep import TrialRecord
from headrace.errors import ConfigError
from headrace.sweeps.objective import check_logged, check_objective

from .lab import Lab, lab

__all__ = ["lab"]

ONE = "hydra.launcher.n_jobs=1"
SEARCH = ("hydra.sweeper.sampler={_target_: optuna.samplers.RandomSampler}", "hydra.sweeper.n_trials=3")
UNKNOWN = """error: 1 problem in the config
  - sweep.objective: no run logs 'scroe'; they log: loss, score
      did you mean sweep.objective=score?
"""


@pytest.mark.parametrize("words", [("model.C=2,3",), ("model.C=interval(2,3)", *SEARCH)])
def test_past_runs_tell_before_the_first_job(lab: Lab, words: tuple[str, ...]) -> None:
    """Exit code 2 with the names that they log, and there is no sweep."""
    lab.train("+experiment=lab")
    told = lab.sweep(*words, "sweep.objective=scroe")
    assert (told.code, told.out, told.err) == (2, "", UNKNOWN)
    assert lab.files.ids() == []
    assert lab.calls()["fit C=2"] == 0


def test_without_past_runs_the_first_job_tells(lab: Lab) -> None:
    """Exit code 2 after one job; the record says why the sweep ended."""
    told = lab.sweep("model.C=1,2,3", "sweep.objective=scroe", ONE)
    assert told.code == 2
    assert told.err.endswith(UNKNOWN)
    assert [trial.state for trial in lab.record.trials] == ["failed", "waiting", "waiting"]
    assert lab.record.state == "failed"
    assert "no run logs 'scroe'" in str(lab.record.error)
    assert lab.calls() == {"load": 1, "split": 1, "fit C=1": 1}


def test_runs_of_another_evaluation_tell_nothing(lab: Lab) -> None:
    """What was logged by another function, other params or other code, or elsewhere, is no proof."""
    lab.train("+experiment=lab")
    code = (lab.folder / "lab_stages.py").read_text()
    (lab.folder / "lab_stages.py").write_text(code.replace("def judge", "def rate"))

    def check(*words: str) -> None:
        every = ["+experiment=lab", *words]
        check_objective(prepare(compose("train", every), every, flow="train", dry=True).job, ["points"])

    check("stages.judge.call=lab_stages.rate")
    (lab.folder / "lab_stages.py").write_text(code)
    check("name=other")
    with pytest.raises(ConfigError, match="they log: loss, score"):
        check()
    check("stages.judge.params.limit=5")  # a param may say what is logged
    (lab.folder / "lab_stages.py").write_text(code.replace('"loss":', '"points": total, "loss":'))
    check()


def ended(**metrics: float) -> TrialRecord:
    return TrialRecord(number=0, overrides=[], params={}, state="failed", metrics=metrics)


def test_a_job_without_figures_proves_nothing() -> None:
    """One that failed before its metrics leaves the sweep going; one with others' names ends it."""
    check_logged([ended()], ["score"])
    check_logged([ended(score=1.0)], ["score"])
    with pytest.raises(ConfigError, match="no run logs 'loss'"):
        check_logged([ended(score=1.0)], ["score", "loss"])


def test_a_metric_that_another_job_logs_is_there() -> None:
    """A later job without it has failed alone, and ends nothing."""
    check_logged([ended(score=1.0, loss=2.0), ended(score=1.0)], ["loss"])
