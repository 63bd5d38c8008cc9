"""Experiment files are checked as strictly as the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from headrace.config.load import Loaded

PENGUINS = "+experiment=penguins"
Load = Callable[..., Loaded]
Refused = Callable[..., list[str]]
Text = Callable[..., str]
Write = Callable[[Mapping[str, str]], None]


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
        (["publish: null", "seed: 1.5"], "seed: 1.5 is not an integer"),
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
def test_a_mistake_in_an_experiment_file_is_caught(
    lines: list[str], problem: str, conf: Write, refused: Refused, experiment: Text
) -> None:
    """What Hydra composes in silence is checked as strictly as the command line."""
    conf({"experiment/mine": experiment(*lines)})
    assert any(line.startswith(problem) for line in refused("+experiment=mine"))


def test_a_param_left_over_from_another_model_is_caught(conf: Write, refused: Refused) -> None:
    """After `override /model` in the file, the old model's param does not pass in silence."""
    text = (
        "# @package _global_\ndefaults:\n  - penguins\n  - override /model: random_forest\n"
        "name: mine\nmodel: {max_iter: 3}\n"
    )
    conf({"experiment/mine": text})
    (problem,) = refused("+experiment=mine")
    assert problem.startswith("model.max_iter: sklearn.ensemble.RandomForestClassifier has no argument")


def test_an_option_that_a_file_names_and_is_not_there_names_the_file(conf: Write, refused: Refused) -> None:
    """The override is right and the file is not, so the file is told, with what to write in it."""
    text = "# @package _global_\ndefaults:\n  - override /model: radnom_forest\nname: mine\n"
    conf({"experiment/mine": text})
    (problem,) = refused("+experiment=mine")
    assert problem.startswith("conf/experiment/mine.yaml: there is no model 'radnom_forest'")
    assert problem.endswith("did you mean override /model: random_forest?")


def test_every_wrong_option_of_a_file_is_told(conf: Write, refused: Refused) -> None:
    """Hydra ends at the first one; the others are not for the next round."""
    text = (
        "# @package _global_\ndefaults:\n  - override /dataset: penguin\n  - override /schema: penguins\n"
        "  - override /model: rigde\n  - override /stages/gate: thresholdz\nname: mine\n"
    )
    conf({"experiment/mine": text})
    assert sorted(refused("+experiment=mine")) == [
        "conf/experiment/mine.yaml: there is no dataset 'penguin' did you mean override /dataset: penguins?",
        "conf/experiment/mine.yaml: there is no model 'rigde' did you mean override /model: ridge?",
        "conf/experiment/mine.yaml: there is no stages/gate 'thresholdz' "
        "did you mean override /stages/gate: thresholds?",
    ]


def test_a_file_that_is_not_yaml_is_told_by_line(conf: Write, refused: Refused, experiment: Text) -> None:
    """A YAML error names the file, the line and the column."""
    conf({"experiment/mine": experiment("model: {C: 3")})
    (problem,) = refused("+experiment=mine")
    assert "experiment/mine.yaml, line 6, column 1: not YAML" in problem


def test_mistakes_in_a_file_and_on_the_command_line_are_told_together(
    conf: Write, refused: Refused, experiment: Text
) -> None:
    """The file is checked even where an override does not compose."""
    conf({"experiment/mine": experiment("stages: {train: {retires: 2}}")})
    found = refused("+experiment=mine", "sede=3")
    assert [line.partition(":")[0] for line in found] == ["sede", "stages.train.retires"]


def test_the_projects_experiments_are_listed_with_ours(
    conf: Write, refused: Refused, load: Load, experiment: Text
) -> None:
    """The project's folder is searched first, and the packaged one behind it."""
    conf({"experiment/mine": experiment()})
    (problem,) = refused()
    ours = "adult, breast_cancer, breast_cancer_search, digits, digits_search, flights"
    assert f"there are: {ours}, mine, penguins" in problem
    assert load("+experiment=mine").experiment.name == "mine"


def test_choices_are_checked(
    project: Path,
    conf: Write,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
    load: Load,
    experiment: Text,
) -> None:
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
