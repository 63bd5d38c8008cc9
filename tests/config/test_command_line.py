"""A mistake on the command line ends before anything runs, with where it is and what to type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from headrace.config.compose import complete, compose
from headrace.config.load import Loaded

PENGUINS = "+experiment=penguins"
Load = Callable[..., Loaded]
Refused = Callable[..., list[str]]
Write = Callable[[Mapping[str, str]], None]
Text = Callable[..., str]


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        pytest.param(
            [],
            "no experiment is chosen; there are: adult, breast_cancer, breast_cancer_search, digits, "
            "digits_search, flights, penguins "
            "type: python -m flows.train +experiment=adult",
            id="no experiment",
        ),
        pytest.param(
            ["+experiment=pengiuns"],
            "experiment: there is no experiment 'pengiuns' did you mean +experiment=penguins?; "
            "there are: adult, breast_cancer, breast_cancer_search, digits, digits_search, flights, penguins",
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
            [PENGUINS, "hydra.launcher.n_job=3"],
            "hydra.launcher.n_job: there is no such key (hydra.launcher.n_job=3) "
            "did you mean hydra.launcher.n_jobs=3?",
            id="unknown key of the launcher",
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
            "stages.train.call: cannot import 'headrace.stages.train.fti': 'headrace.stages.train' has no "
            "'fti' did you mean stages.train.call=headrace.stages.train.fit?",
            id="function that is not there",
        ),
        pytest.param(
            [PENGUINS, "model._target_=sklaern.linear_model.Ridge"],
            "model._target_: cannot import 'sklaern.linear_model.Ridge': there is no module 'sklaern' "
            "did you mean model._target_=sklearn.linear_model.Ridge?",
            id="package that is not there",
        ),
        pytest.param(
            [PENGUINS, "model.C=foo"],
            "model.C: 'foo' is not a number (the default is 1.0) type: model.C=1.0",
            id="a string where the model's default is a number",
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
            "stages.train.retries: -1 is below zero type: stages.train.retries=0",
        ),
        pytest.param(
            [PENGUINS, "stages.train.timeout_seconds=0"],
            "stages.train.timeout_seconds: 0.0 is not a time type: stages.train.timeout_seconds=null",
        ),
        pytest.param(
            [PENGUINS, "stages.train.retry_delay_seconds=[1,-1]"],
            "stages.train.retry_delay_seconds: -1.0 is below zero "
            "type: 'stages.train.retry_delay_seconds=[1,0]'",
            id="negative delay",
        ),
        pytest.param(
            [PENGUINS, "tracker.mode=ofline"],
            "tracker.mode: 'ofline' is none of its choices did you mean tracker.mode=offline?",
            id="mode that the tracker does not have",
        ),
        pytest.param(
            [PENGUINS, "+stages.gate.params.thresholds.f1_macro.min=high"],
            "stages.gate.params.thresholds.f1_macro.min: 'high' is not of type float | bool "
            "type: stages.gate.params.thresholds.f1_macro.min=<float | bool>",
            id="wrong type inside a param",
        ),
        pytest.param(
            [PENGUINS, "+stages.gate.params.thresholds.accuracy.mim=0.5"],
            "stages.gate.params.thresholds.accuracy.mim: there is no such key did you mean min?",
            id="unknown key inside a param",
        ),
        pytest.param(
            [PENGUINS, "stages.gate.params.thresholds.accuracy=0.9"],
            "stages.gate.params.thresholds.accuracy: 0.9 is not of type dict",
            id="number for a mapping inside a param",
        ),
        pytest.param(
            [PENGUINS, "dataset.drop=[year,3]"],
            "stages.preprocess.params.drop[1]: 3 is not of type str",
            id="wrong item of a list",
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
            [PENGUINS, "name=../x"],
            "name: '../x' is no name for a model: letters, digits, '_', '-' and single dots between "
            "them type: name=x",
            id="name of the experiment that the lake refuses as a model's",
        ),
        pytest.param(
            ["+experiment=penguins,digits", "seed=3"],
            "experiment: 'penguins,digits' is a sweep, which needs -m "
            "type: python -m flows.train -m +experiment=penguins,digits seed=3",
            id="sweep over experiments without -m",
        ),
        pytest.param(
            [PENGUINS, "model.C=1,2"],
            "model.C: '1,2' is a sweep, which needs -m "
            "type: python -m flows.train -m +experiment=penguins model.C=1,2",
            id="sweep over values without -m",
        ),
        pytest.param(
            [PENGUINS, "stages.gate.params.thresholds.f1_macro.min=1.1"],
            "stages.gate.params.thresholds.f1_macro.min: there is no such key "
            "(stages.gate.params.thresholds.f1_macro.min=1.1) "
            "type: +stages.gate.params.thresholds.f1_macro.min=1.1",
            id="new key inside a param",
        ),
        pytest.param(
            [
                "+experiment=digits",
                "stages/gate=none",
                "stages.gate.params.thresholds.balanced_accuracy.min=1",
            ],
            "stages.gate.params.thresholds.balanced_accuracy.min: there is no such key "
            "(stages.gate.params.thresholds.balanced_accuracy.min=1) "
            "type: +stages.gate.params.thresholds.balanced_accuracy.min=1",
            id="new key near another inside a param",
        ),
        pytest.param(
            [PENGUINS, "stages.gate.params.thresholds.acuracy.min=1"],
            "stages.gate.params.thresholds.acuracy.min: there is no such key "
            "(stages.gate.params.thresholds.acuracy.min=1) "
            "did you mean stages.gate.params.thresholds.accuracy.min=1?",
            id="misspelt key inside a param",
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
            "train (makes estimator) <- preprocess (makes train_features) "
            "change one of these inputs, type: stages.preprocess.inputs.train=<artifact>",
            id="cycle",
        ),
        pytest.param(
            [PENGUINS, "+stages.package.outputs.modle=x"],
            "stages.package.outputs.modle: headrace.stages.package.make_package returns no 'modle' "
            "did you mean stages.package.outputs.model=<artifact>?",
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
            "there are: package:, file:, lake:, model:",
        ),
        pytest.param(
            [PENGUINS, "+schema.colums={}"],
            "schema.colums: a schema has no such key did you mean columns?",
        ),
        pytest.param(
            [PENGUINS, "+schema.columns.sex.nulable=true"],
            "schema.columns.sex.nulable: a column has no such key did you mean nullable?",
        ),
        pytest.param(
            [PENGUINS, "+schema.columns.sex.checks={is_in: [male]}"],
            "schema.columns.sex.checks.is_in: there is no such check did you mean isin?",
            id="check that Pandera does not have",
        ),
        pytest.param(
            [PENGUINS, "+schema.columns.sex.checks=[{value: [male], options: {check_name: is_in}}]"],
            "schema.columns.sex.checks.is_in: there is no such check did you mean isin?",
            id="check in a list that Pandera does not have",
        ),
        pytest.param(
            [PENGUINS, "schema.columns.year.dtype=flaot64"],
            "schema.columns.year.dtype: there is no type 'flaot64' did you mean float64?",
            id="misspelt type",
        ),
        pytest.param([PENGUINS, "a b c"], "a b c: ", id="no override at all"),
        pytest.param([PENGUINS, "model.C=[1"], "model.C=[1: ", id="override that does not parse"),
    ],
)
def test_a_mistake_on_the_command_line_says_where_and_what_to_type(
    overrides: list[str], problem: str, project: Path, refused: Refused
) -> None:
    """One mistake is told first, and nothing has been written."""
    found = refused(*overrides)
    assert found[0].startswith(problem)
    assert list(project.iterdir()) == []


FROM_LAKE = "dataset.source=lake:data/penguins.csv"


@pytest.mark.parametrize(
    "at",
    ["~3", "^2", "main^2~1", "1234567", "12e5", "1.10", "0x1f", "v1.2", "2026-11-01", "007",
     "2026-11-01T12:00+02:00", "2026-11-01T12:00Z", "true", "it's"],
)  # fmt: skip
def test_an_older_state_may_be_typed_as_it_is(at: str, project: Path) -> None:
    """What Hydra's grammar refuses, or would make a number of, arrives as the text that was typed."""
    assert compose("train", [PENGUINS, f"dataset.at={at}"]).dataset.at == at


@pytest.mark.parametrize(
    ("at", "wanted"), [("'~3'", "~3"), ('"~3"', "~3"), ("${source_ref}~3", "main~3"), ("NULL", None)]
)
def test_an_older_state_that_hydra_can_read_is_left_alone(at: str, wanted: str | None, load: Load) -> None:
    """Quotes are not doubled, an interpolation is one, and null is no state."""
    assert load(PENGUINS, FROM_LAKE, f"dataset.at={at}").at == wanted


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_a_sweep_over_older_states_is_quoted_value_by_value(plus: str) -> None:
    """Each value stands for itself, quoted or not; null stays null, and a function is Hydra's."""
    for typed, quoted in (
        ("~1, main~2,'a,b',null", "'~1','main~2','a,b',null"),
        ("${oc.env:A,b},~1", "'${oc.env:A,b}','~1'"),
    ):
        assert complete([f"{plus}dataset.at={typed}"]) == [f"++dataset.at={quoted}"]
    for other in ("-m", "dataset.attic=1", f"{plus}dataset.at=choice('a','b')", f"{plus}dataset.at=???"):
        assert complete([other]) == [other]


def test_a_dataset_need_not_name_the_key(load: Load, conf: Write) -> None:
    """`dataset.at` works without a plus for a data set whose file does not have it."""
    conf({"dataset/mine": "name: mine\ntarget: species\nsource: lake:x.csv\ncolumns: null\ndtypes: {}\n"
          "derive: {}\nrows: null\ndrop: []\ntask: multiclass\n"})  # fmt: skip
    assert load(PENGUINS, "dataset=mine", "dataset.at=~2").at == "~2"


@pytest.mark.parametrize(
    ("written", "at"),
    [("2026-11-01", "2026-11-01"), ("~3", "~3"), ('"1234567"', "1234567"), ("v1.2", "v1.2"), ("~", None)],
)
def test_an_older_state_in_yaml(
    written: str, at: str | None, load: Load, conf: Write, experiment: Text
) -> None:
    """A day and steps need no quotes in YAML; a bare `~` is its word for null."""
    conf({"experiment/mine": experiment("dataset:", "  source: lake:x.csv", f"  at: {written}")})
    assert load("+experiment=mine").at == at


@pytest.mark.parametrize("written", ["1234567", "12e5", "1.10", "0123456", "true", "[v1]", '""'])
def test_a_number_as_older_state_is_refused(
    written: str, refused: Refused, conf: Write, experiment: Text
) -> None:
    """YAML has lost what was written by then, so the message asks for quotes."""
    conf({"experiment/mine": experiment("dataset:", "  source: lake:x.csv", f"  at: {written}")})
    (found,) = refused("+experiment=mine")
    assert found.startswith("dataset.at: ")
    assert 'at: "1234567"' in found


@pytest.mark.parametrize(
    ("experiment", "reads"),
    [("penguins", " (package:palmerpenguins/data/penguins.csv)"), ("breast_cancer", "")],
)
def test_an_older_state_of_no_lake_is_refused(experiment: str, reads: str, refused: Refused) -> None:
    """It would do nothing: the message says what is read, and how to read the lake."""
    assert refused(f"+experiment={experiment}", "dataset.at=~3") == [
        f"dataset.at: no stage reads the lake, and what they read{reads} has no older state "
        "type: dataset.source=lake:data/<name>.csv; `headrace lake import` brings data into the lake"
    ]


@pytest.mark.parametrize("word", ["publish=false", "publish=null"])
def test_publishing_is_turned_off_by_one_word(word: str, load: Load) -> None:
    """Neither plus nor tilde is needed, and the word is kept for the record."""
    experiment = load(PENGUINS, word).experiment
    assert experiment.publish is None
    assert experiment.config["publish"] is ({"publish=false": False}.get(word))


@pytest.mark.parametrize(
    ("word", "hint"),
    [("flase", "did you mean publish=false?"), ("true", "type: publish=false, or leave it out to publish")],
)
def test_a_word_for_publish_that_means_nothing(word: str, hint: str, refused: Refused) -> None:
    """It is no mapping that somebody meant, but the one word there is."""
    (said,) = refused(PENGUINS, f"publish={word}")
    assert said.endswith(hint)
    assert "is neither false nor says what to publish" in said


def test_publishing_is_turned_off_in_a_file(load: Load, conf: Write, experiment: Text) -> None:
    """`publish: false` in an experiment replaces what the pipeline says; the command line turns it on."""
    conf({"experiment/mine": experiment("publish: false")})
    assert load("+experiment=mine").experiment.publish is None
    assert load(PENGUINS).experiment.publish is not None


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
def test_one_mistake_is_one_problem(overrides: list[str], refused: Refused) -> None:
    """What only follows from a mistake is not told as another one."""
    assert len(refused(*overrides)) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=random_forest", "+model.max_features=sqrt"],
        ["model._target_=sklearn.ensemble.RandomForestRegressor", "~model.C", "~model.max_iter",
         "+model.max_features=sqrt"],
        ["model._target_=sklearn.svm.SVC", "+model.gamma=scale"],
        ["+model.solver=saga", "model.C=3"],
    ],
)  # fmt: skip
def test_strings_that_scikit_learn_takes_are_not_refused(overrides: list[str], load: Load) -> None:
    """Where a class says that a param may be a string, a number as default does not speak against it."""
    assert load(PENGUINS, *overrides).experiment.name == "penguins"


def test_a_group_that_may_choose_nothing_takes_null(load: Load) -> None:
    """`schema=null` leaves the schema out, as a config does that chooses none."""
    assert "schema" not in load(PENGUINS, "stages/validate=none", "schema=null").experiment.config


def test_mistakes_of_every_kind_are_told_together(refused: Refused) -> None:
    """Overrides that Hydra refuses, params, artifacts and types: all in one message."""
    found = refused(
        PENGUINS,
        "sede=1",
        "stages/split=rando",
        "stages.train.call=headrace.stages.train.fti",
        "stages.gate.inputs.metrics=metrcs",
        "stages.package.retries=x",
        "seed=y",
    )
    assert [line.partition(":")[0] for line in found] == [
        "stages/split",
        "sede",
        "stages.train.call",
        "stages.package.retries",
        "stages.gate.inputs.metrics",
        "seed",
    ]
