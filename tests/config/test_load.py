"""A right config becomes specs, and what is recorded of it holds no secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from headrace.config.load import Loaded
from headrace.core.secrets import REDACTED

PENGUINS = "+experiment=penguins"
Load = Callable[..., Loaded]
Refused = Callable[..., list[str]]
Text = Callable[..., str]
Write = Callable[[Mapping[str, str]], None]


@pytest.mark.parametrize("name", ["penguins", "breast_cancer", "digits", "flights"])
def test_every_experiment_loads(name: str, load: Load) -> None:
    """The experiments that headrace brings are right, and each publishes under its own name."""
    loaded = load(f"+experiment={name}")
    assert loaded.experiment.name == name
    assert loaded.experiment.publish is not None
    assert loaded.experiment.publish.model == name
    assert [spec.name for spec in loaded.graph.order] == [
        *(
            "ingest",
            "validate",
            "split",
            "preprocess",
            "train",
            "package",
            "evaluate",
            "smoke",
            "gate",
            "explain",
        )
    ]


@pytest.mark.parametrize(
    "option", ["logistic_regression", "random_forest", "hist_gradient_boosting", "mlp", "cnn"]
)
def test_every_model_takes_its_params(option: str, load: Load) -> None:
    """No option of the group names a param that its class does not have."""
    assert load(PENGUINS, f"model={option}").experiment.config["model"]["_target_"]


def test_keys_of_a_stage_can_be_set_though_no_file_names_them(load: Load) -> None:
    """`stages.train.retries=2` needs no plus, and every other key keeps its default."""
    loaded = load(
        PENGUINS,
        "stages.train.retries=2",
        "stages.train.retry_delay_seconds=[1, 10]",
        "stages.train.timeout_seconds=60",
        "stages.train.cache=false",
    )
    spec = loaded.experiment.stage("train")
    assert (spec.retries, spec.retry_delay_seconds, spec.timeout_seconds) == (2, (1.0, 10.0), 60.0)
    assert (spec.cache, loaded.experiment.stage("split").cache) == (False, True)


def test_params_are_resolved_and_signatures_known(load: Load) -> None:
    """Interpolations are values, models stay nodes, and nobody has to look into the config again."""
    loaded = load(PENGUINS, "model.C=3", "seed=7", "runtime=inline", "publish=null")
    train = loaded.experiment.stage("train")
    assert train.params["estimator"] == {
        "_target_": "sklearn.linear_model.LogisticRegression",
        "C": 3,
        "max_iter": 1000,
    }
    assert loaded.signatures["train"].names()[:3] == ["features", "target", "estimator"]
    assert loaded.experiment.seed == 7
    assert loaded.runtime_kind == "inline"
    assert loaded.experiment.publish is None
    assert loaded.experiment.config["stages"]["split"]["params"]["target"] == "species"


def test_secrets_are_redacted_by_name_by_variable_and_in_urls(
    conf: Write, monkeypatch: pytest.MonkeyPatch, load: Load, experiment: Text
) -> None:
    """Wherever a secret is read, listed or handed on, the record does not show it, and the stage gets it."""
    monkeypatch.setenv("MY_TOKEN", "hush-1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:hush-2@host/db")
    monkeypatch.setenv("PLAIN", "seen")
    conf(
        {
            "experiment/mine": experiment(
                "vars:",
                "  mine: ${oc.env:MY_TOKEN}",
                "  text: before ${oc.env:MY_TOKEN} after",
                "  quoted: ${oc.env:'MY_TOKEN',none}",
                "  list: ['${oc.env:MY_TOKEN}', {deep: '${vars.mine}'}]",
                "  computed: ${oc.env:${vars.which}}",
                "  which: MY_TOKEN",
                "  credentials: {code: '${oc.env:MY_TOKEN}', user: hush-3}",
                "  api_key: hush-4",
                "  url: ${oc.env:DATABASE_URL}",
                "  plain: ${oc.env:PLAIN}",
                "stages:",
                "  ingest: {params: {target: '${vars.mine}'}}",
            )
        }
    )
    loaded = load("+experiment=mine")
    config = loaded.experiment.config
    assert "hush" not in repr(config)
    assert config["vars"] == {
        "mine": REDACTED,
        "text": REDACTED,
        "quoted": REDACTED,
        "list": [REDACTED, {"deep": REDACTED}],
        "computed": REDACTED,
        "which": "MY_TOKEN",
        "credentials": REDACTED,
        "api_key": REDACTED,
        "url": "postgresql://<redacted>@host/db",
        "plain": "seen",
    }
    assert config["stages"]["ingest"]["params"]["target"] == REDACTED
    assert loaded.experiment.stage("ingest").params["target"] == "hush-1"


def test_a_variable_that_is_not_set_is_a_problem(refused: Refused) -> None:
    """The key is named where the variable is read."""
    (problem,) = refused(PENGUINS, "+vars.x=${oc.env:HEADRACE_SURELY_NOT_SET}")
    assert problem.startswith("vars.x: ")
    assert "HEADRACE_SURELY_NOT_SET" in problem
