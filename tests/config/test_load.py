"""Bad input ends before anything runs, with where it is and what to type; good input becomes specs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from headrace.config.compose import compose
from headrace.config.load import Loaded, load_config
from headrace.core.code import CodeIndex
from headrace.core.secrets import REDACTED
from headrace.errors import ConfigError

PENGUINS = "+experiment=penguins"
Write = Callable[[Mapping[str, str]], None]


def load(*overrides: str) -> Loaded:
    index = CodeIndex(lambda kind, file, compute: compute())
    return load_config(compose("train", overrides), index)


def refused(*overrides: str) -> list[str]:
    """Return each problem on one line, and see that it ends with the exit code for a wrong config."""
    with pytest.raises(ConfigError) as caught:
        load(*overrides)
    assert caught.value.exit_code == 2
    return [" ".join(str(problem).split()) for problem in caught.value.problems]


@pytest.fixture
def conf(project: Path) -> Write:
    """Write YAML files (path below conf/: text) into a project of one's own."""

    def write(files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = project / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write


def experiment(*lines: str) -> str:
    return "\n".join(
        [
            "# @package _global_",
            "defaults:",
            "  - penguins",
            "name: mine",
            *lines,
            "",
        ]
    )


# --- the command line -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        pytest.param(
            [],
            "no experiment is chosen; there are: breast_cancer, digits, flights, penguins "
            "type: python -m flows.train +experiment=breast_cancer",
            id="no experiment",
        ),
        pytest.param(
            ["+experiment=pengiuns"],
            "experiment: there is no experiment 'pengiuns' did you mean +experiment=penguins?; "
            "there are: breast_cancer, digits, flights, penguins",
            id="unknown experiment",
        ),
        pytest.param(
            ["experiment=penguins"],
            "experiment: nothing chooses experiment yet type: +experiment=penguins",
            id="experiment without plus",
        ),
        pytest.param(
            [PENGUINS, "model=logistic_regresion"],
            "model: there is no model 'logistic_regresion' did you mean model=logistic_regression?; "
            "there are: cnn, hist_gradient_boosting, logistic_regression, mlp, random_forest, ridge",
            id="unknown option",
        ),
        pytest.param(
            [PENGUINS, "stages/preprocess=tabula"],
            "stages/preprocess: there is no stages/preprocess 'tabula' "
            "did you mean stages/preprocess=tabular?; there are: none, ordinal, tabular",
            id="unknown option of a nested group",
        ),
        pytest.param(
            [PENGUINS, "+modle=mlp"],
            "modle: there is no such key did you mean model?",
            id="unknown group",
        ),
        pytest.param(
            [PENGUINS, "lake=null"],
            "lake: 'null' is none of its options there are: embedded",
            id="no option",
        ),
        pytest.param(
            [PENGUINS, "stages=3"],
            "stages: '3' is none of its options type: stages/<group>=<option>",
            id="value for a group of groups",
        ),
        pytest.param(
            [PENGUINS, "~lake"], "lake: is not chosen choose an option of conf/lake/: lake=<option>"
        ),
        pytest.param(
            [PENGUINS, "sede=3"],
            "sede: there is no such key (sede=3) did you mean seed=3?",
            id="unknown key",
        ),
        pytest.param(
            [PENGUINS, "++sede=3"],
            "sede: there is no such key did you mean seed?",
            id="unknown key that is forced",
        ),
        pytest.param(
            [PENGUINS, "model.CC=3"],
            "model.CC: there is no such key (model.CC=3) did you mean model.C=3?",
            id="unknown key of a group",
        ),
        pytest.param(
            [PENGUINS, "stages.train.retires=3"],
            "stages.train.retires: there is no such key (stages.train.retires=3) "
            "did you mean stages.train.retries=3?",
            id="unknown key of a stage",
        ),
        pytest.param(
            [PENGUINS, "stages.trian.retries=3"],
            "stages.trian: has no call did you mean stages.train?",
            id="unknown stage",
        ),
        pytest.param(
            [PENGUINS, "stages.split.params.test_sise=0.1"],
            "stages.split.params.test_sise: there is no such key (stages.split.params.test_sise=0.1) "
            "did you mean stages.split.params.test_size=0.1?",
            id="unknown param",
        ),
        pytest.param(
            [PENGUINS, "+stages.split.params.test_sise=0.1"],
            "stages.split.params.test_sise: headrace.stages.split.split_randomly has no argument 'test_sise' "
            "did you mean stages.split.params.test_size?",
            id="param that the function does not have",
        ),
        pytest.param(
            [PENGUINS, "+model.max_itre=1"],
            "model.max_itre: sklearn.linear_model.LogisticRegression has no argument 'max_itre' "
            "did you mean model.max_iter?",
            id="param that the model does not have",
        ),
        pytest.param(
            [PENGUINS, "model=mlp", "model.C=1"],
            "model.C: there is no such key (model.C=1) there are: _target_, batch_size,",
            id="param of another model",
        ),
        pytest.param(
            [PENGUINS, "stages.train.call=headrace.stages.trian.fit"],
            "stages.train.call: cannot import 'headrace.stages.trian.fit': 'headrace.stages' has no 'trian' "
            "did you mean stages.train.call=headrace.stages.train.fit?",
            id="module that is not there",
        ),
        pytest.param(
            [PENGUINS, "stages.train.call=headrace.stages.train.fti"],
            "stages.train.call: cannot import 'headrace.stages.train.fti': 'headrace.stages.train' has no 'fti' "
            "did you mean stages.train.call=headrace.stages.train.fit?",
            id="function that is not there",
        ),
        pytest.param(
            [PENGUINS, "model._target_=sklaern.linear_model.Ridge"],
            "model._target_: cannot import 'sklaern.linear_model.Ridge': there is no module 'sklaern' "
            "did you mean model._target_=sklearn.linear_model.Ridge?",
            id="package that is not there",
        ),
        pytest.param([PENGUINS, "seed=abc"], "seed: 'abc' is not an integer type: seed=<int>"),
        pytest.param([PENGUINS, "seed=true"], "seed: True is not an integer type: seed=<int>"),
        pytest.param(
            [PENGUINS, "headrace_dir=3"], "headrace_dir: 3 is not a string type: headrace_dir=<str>"
        ),
        pytest.param(
            [PENGUINS, "stages.train.retries=abc"],
            "stages.train.retries: Value 'abc' of type 'str' could not be converted to Integer "
            "type: stages.train.retries=<int>",
            id="wrong type of a stage's key",
        ),
        pytest.param(
            [PENGUINS, "stages.train.retries=-1"],
            "stages.train.retries: -1 is below zero stages.train.retries=0",
        ),
        pytest.param(
            [PENGUINS, "stages.train.timeout_seconds=0"],
            "stages.train.timeout_seconds: 0.0 is not a time stages.train.timeout_seconds=null",
        ),
        pytest.param(
            [PENGUINS, "stages.train.retry_delay_seconds=3"],
            "stages.train.retry_delay_seconds: Invalid value assigned: AnyNode is not a ListConfig, list or "
            "tuple. type: stages.train.retry_delay_seconds=<list[float]>",
            id="a number for a list",
        ),
        pytest.param(
            [PENGUINS, "stages.split.params.test_size=abc"],
            "stages.split.params.test_size: 'abc' is not of type float "
            "type: stages.split.params.test_size=<float>",
            id="wrong type of a param",
        ),
        pytest.param(
            [PENGUINS, "dataset.drop=year"],
            "stages.preprocess.params.drop: 'year' is not of type list[str] | None",
            id="wrong type through an interpolation",
        ),
        pytest.param(
            [PENGUINS, "stages.train=3"],
            "stages.train: '3' is not a mapping type: stages.train.<key>=<value>",
            id="value for a stage",
        ),
        pytest.param(
            [PENGUINS, "publish.model=a/b"],
            "publish.model: 'a/b' is no name for a model: letters, digits, '_', '-' and single dots between "
            "them type: publish.model=a-b",
            id="model name that the lake refuses",
        ),
        pytest.param(
            [PENGUINS, "publish.package=modle"],
            "publish.package: no stage makes 'modle' did you mean publish.package=model?",
        ),
        pytest.param(
            [PENGUINS, "publish.gate=gaet"],
            "publish.gate: no stage makes 'gaet' did you mean publish.gate=gate?",
        ),
        pytest.param(
            [PENGUINS, "runtime.kind=locl"],
            "runtime.kind: there is no runtime 'locl' did you mean runtime=local?",
        ),
        pytest.param(
            [PENGUINS, "runtime.max_workers=0"],
            "runtime.max_workers: 0 is below 1 type: runtime.max_workers=null",
        ),
        pytest.param([PENGUINS, "seed=???"], "seed: has no value (???) type: seed=<value>"),
        pytest.param(
            [PENGUINS, "dataset.target=???"],
            "dataset.target: has no value (???) type: dataset.target=<value>",
            id="missing value that others read",
        ),
        pytest.param(
            [PENGUINS, "dataset.source=???"],
            "dataset.source: has no value (???) type: dataset.source=<value>",
            id="missing input",
        ),
        pytest.param(
            [PENGUINS, "stages.split.params.test_size=${nope}"],
            "stages.split.params.test_size: Interpolation key 'nope' not found check the name inside ${...}",
            id="interpolation of nothing",
        ),
        pytest.param(
            [PENGUINS, "stages.train.inputs.features=trian_features"],
            "stages.train.inputs.features: no stage makes 'trian_features' "
            "did you mean stages.train.inputs.features=train_features?",
            id="input that no stage makes",
        ),
        pytest.param(
            [PENGUINS, "stages.split.outputs.train=raw"],
            "stages.split.outputs.train: artifact 'raw' is already made by stage 'ingest' "
            "give it another name: stages.split.outputs.train=<name>",
            id="two stages with one output",
        ),
        pytest.param(
            [PENGUINS, "stages.split.inputs.valid=estimator"],
            "stages: these stages wait for each other: preprocess <- split (makes train) <- "
            "train (makes estimator) <- preprocess (makes train_features) break one of these inputs",
            id="cycle",
        ),
        pytest.param(
            [PENGUINS, "+stages.publish.outputs.modle=x"],
            "stages.publish.outputs.modle: headrace.stages.publish.join_model returns no 'modle' "
            "did you mean stages.publish.outputs.model=<artifact>?",
            id="output that the function does not return",
        ),
        pytest.param(
            [PENGUINS, "+stages.extra.call=headrace.stages.gate.check_thresholds"],
            "stages.extra: headrace.stages.gate.check_thresholds needs 'metrics' "
            "type: stages.extra.params.metrics=<value>",
            id="argument that is missing",
        ),
        pytest.param(
            [PENGUINS, "+stages.train.params.context=1"],
            "stages.train.params.context: 'context' is given by headrace leave it out",
        ),
        pytest.param(
            [PENGUINS, "+stages.train.params.features=1"],
            "stages.train.params.features: is an input already leave one of the two out",
        ),
        pytest.param(
            [PENGUINS, "dataset.source=fil:x.csv"],
            "stages.ingest.inputs.source: 'fil:x.csv' has the unknown scheme 'fil' "
            "there are: package:, file:, lake:",
        ),
        pytest.param(
            [PENGUINS, "+schema.colums={}"],
            "schema.colums: a schema has no such key did you mean columns?",
        ),
        pytest.param(
            [PENGUINS, "+schema.columns.sex.nulable=true"],
            "schema.columns.sex.nulable: a column has no such key did you mean nullable?",
        ),
        pytest.param([PENGUINS, "a b c"], "a b c: ", id="no override at all"),
        pytest.param([PENGUINS, "model.C=[1"], "model.C=[1: ", id="override that does not parse"),
    ],
)
def test_a_mistake_on_the_command_line_says_where_and_what_to_type(
    overrides: list[str], problem: str, project: Path
) -> None:
    """One mistake is told first, and nothing has been written."""
    found = refused(*overrides)
    assert found[0].startswith(problem)
    assert list(project.iterdir()) == []


@pytest.mark.parametrize(
    "overrides",
    [
        [PENGUINS, "sede=3"],
        [PENGUINS, "stages.trian.retries=3"],
        [PENGUINS, "dataset.target=???"],
        [PENGUINS, "dataset.source=???"],
        [PENGUINS, "seed=???"],
        [PENGUINS, "~lake"],
        [PENGUINS, "stages.split.params.test_size=${nope}"],
        [PENGUINS, "model=mpl"],
    ],
)
def test_one_mistake_is_one_problem(overrides: list[str]) -> None:
    """What only follows from a mistake is not told as another one."""
    assert len(refused(*overrides)) == 1


def test_mistakes_of_every_kind_are_told_together() -> None:
    """Overrides that Hydra refuses, params, artifacts and types: all in one message."""
    found = refused(
        PENGUINS,
        "sede=1",
        "stages/split=rando",
        "+model.max_itre=1",
        "stages.train.call=headrace.stages.train.fti",
        "stages.gate.inputs.metrics=metrcs",
        "stages.publish.retries=x",
        "seed=y",
    )
    assert [line.partition(":")[0] for line in found] == [
        "stages/split",
        "sede",
        "stages.train.call",
        "model.max_itre",
        "stages.publish.retries",
        "stages.gate.inputs.metrics",
        "seed",
    ] or {line.partition(":")[0] for line in found} == {
        "stages/split",
        "sede",
        "stages.train.call",
        "stages.publish.retries",
        "stages.gate.inputs.metrics",
        "seed",
    }


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["sede: 3"], "sede: there is no such key did you mean seed?"),
        (["model: {CC: 3}"], "model.CC: sklearn.linear_model.LogisticRegression has no argument 'CC'"),
        (
            ["stages: {train: {retires: 2}}"],
            "stages.train.retires: there is no such key did you mean retries?",
        ),
        (
            ["stages: {split: {params: {test_sise: 0.1}}}"],
            "stages.split.params.test_sise: headrace.stages.split.split_randomly has no argument 'test_sise'",
        ),
        (["stages: {trian: {retries: 2}}"], "stages.trian: has no call did you mean stages.train?"),
        (["stages: {split: {params: {test_size: much}}}"], "stages.split.params.test_size: 'much' is not of"),
        (
            ["dataset: {sorce: 'file:x.csv'}"],
            "dataset.sorce: nothing reads this key did you mean dataset.source?",
        ),
        (["publish: {alais: champion}"], "publish.alais: there is no such key did you mean alias?"),
        (["schema: {colums: {}}"], "schema.colums: a schema has no such key did you mean columns?"),
        (["runtime: {kind: locl}"], "runtime.kind: there is no runtime 'locl' did you mean runtime=local?"),
        (["lake: null"], "lake: is not chosen choose an option of conf/lake/: lake=<option>"),
        (["tracker: {mode: offline, _target_: null}"], "tracker._target_: None is not a dotted name"),
        (["seed: '3'"], "seed: '3' is not an integer"),
        (["stages: {train: 3}"], "stages.train: '3' is not a mapping"),
        (
            ["stages: {gate: {inputs: {metrics: metrcs}}}"],
            "stages.gate.inputs.metrics: no stage makes 'metrcs'",
        ),
    ],
)
def test_a_mistake_in_an_experiment_file_is_caught(lines: list[str], problem: str, conf: Write) -> None:
    """What Hydra composes in silence is checked as strictly as the command line."""
    conf({"experiment/mine": experiment(*lines)})
    assert any(line.startswith(problem) for line in refused("+experiment=mine"))


def test_a_param_left_over_from_another_model_is_caught(conf: Write) -> None:
    """After `override /model` in the file, the old model's param does not pass in silence."""
    text = (
        "# @package _global_\ndefaults:\n  - penguins\n  - override /model: random_forest\n"
        "name: mine\nmodel: {max_iter: 3}\n"
    )
    conf({"experiment/mine": text})
    (problem,) = refused("+experiment=mine")
    assert problem.startswith("model.max_iter: sklearn.ensemble.RandomForestClassifier has no argument")


def test_an_option_that_a_file_names_and_is_not_there_names_the_file(conf: Write) -> None:
    """The override is right and the file is not, so the file is told, with what to write in it."""
    text = "# @package _global_\ndefaults:\n  - override /model: radnom_forest\nname: mine\n"
    conf({"experiment/mine": text})
    (problem,) = refused("+experiment=mine")
    assert problem.startswith("conf/experiment/mine.yaml: there is no model 'radnom_forest'")
    assert problem.endswith("did you mean override /model: random_forest?")


def test_a_file_that_is_not_yaml_is_told_by_line(conf: Write) -> None:
    """A YAML error names the file, the line and the column."""
    conf({"experiment/mine": experiment("model: {C: 3")})
    (problem,) = refused("+experiment=mine")
    assert "experiment/mine.yaml, line 6, column 1: not YAML" in problem


def test_mistakes_in_a_file_and_on_the_command_line_are_told_together(conf: Write) -> None:
    """The file is checked even where an override does not compose."""
    conf({"experiment/mine": experiment("stages: {train: {retires: 2}}")})
    found = refused("+experiment=mine", "sede=3")
    assert [line.partition(":")[0] for line in found] == ["sede", "stages.train.retires"]


def test_the_projects_experiments_are_listed_with_ours(conf: Write) -> None:
    """The project's folder is searched first, and the packaged one behind it."""
    conf({"experiment/mine": experiment()})
    (problem,) = refused()
    assert "there are: breast_cancer, digits, flights, mine, penguins" in problem
    assert load("+experiment=mine").experiment.name == "mine"


def test_choices_are_checked(project: Path, conf: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A param annotated with `Literal` takes what it lists, and offers the nearest."""
    code = (
        "from typing import Literal\n"
        "def step(table, how: Literal['mean', 'median'] = 'mean'):\n    return {'table': table}\n"
    )
    (project / "choosing_steps.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(project)
    stage = "call: choosing_steps.step, inputs: {table: raw}, outputs: {table: filled}"
    conf({"experiment/mine": experiment(f"stages: {{fill: {{{stage}, params: {{how: meadian}}}}}}")})
    (problem,) = refused("+experiment=mine")
    assert problem.startswith("stages.fill.params.how: 'meadian' is none of its choices")
    assert problem.endswith("did you mean stages.fill.params.how=median?")
    assert load("+experiment=mine", "stages.fill.params.how=median").graph.producer["filled"] == "fill"


# --- what is right --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["penguins", "breast_cancer", "digits", "flights"])
def test_every_experiment_loads(name: str) -> None:
    """The experiments that headrace brings are right, and each publishes under its own name."""
    loaded = load(f"+experiment={name}")
    assert loaded.experiment.name == name
    assert loaded.experiment.publish is not None
    assert loaded.experiment.publish.model == name
    assert [spec.name for spec in loaded.graph.order] == [
        *("ingest", "validate", "split", "preprocess", "train", "evaluate", "gate", "publish")
    ]


@pytest.mark.parametrize(
    "option", ["logistic_regression", "random_forest", "hist_gradient_boosting", "mlp", "cnn"]
)
def test_every_model_takes_its_params(option: str) -> None:
    """No option of the group names a param that its class does not have."""
    assert load(PENGUINS, f"model={option}").experiment.config["model"]["_target_"]


def test_keys_of_a_stage_can_be_set_though_no_file_names_them() -> None:
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


def test_params_are_resolved_and_signatures_known() -> None:
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


# --- secrets --------------------------------------------------------------------------------------


def test_secrets_are_redacted_by_name_by_variable_and_in_urls(
    conf: Write, monkeypatch: pytest.MonkeyPatch
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


def test_a_variable_that_is_not_set_is_a_problem() -> None:
    """The key is named where the variable is read."""
    (problem,) = refused(PENGUINS, "+vars.x=${oc.env:HEADRACE_SURELY_NOT_SET}")
    assert problem.startswith("vars.x: ")
    assert "HEADRACE_SURELY_NOT_SET" in problem
