"""The stage as a whole: every kind of estimator and target gets its numbers, figures and errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from headrace.adapters.codec_figure import FigureCodec
from headrace.adapters.codec_json import JsonCodec
from headrace.adapters.codec_table import TableCodec
from headrace.stages import evaluate, explain, preprocess, train
from headrace.testing.codec import digest_of
from tests.stages.explain.conftest import Still

TARGETS = ("score", "label", "truth", "letter")


def inputs(table: pd.DataFrame, target: str, estimator: Any, context: Any, encode: Any = "onehot") -> Any:
    """Split, prepare, fit and evaluate as the pipeline does; return what `explain_model` is given."""
    others = [name for name in TARGETS if name != target]
    known, rows = table.iloc[:300].reset_index(drop=True), table.iloc[300:].reset_index(drop=True)
    made = preprocess.tabular(known, rows, target, drop=[*others, "id"], encode=encode)
    fitted = train.fit(made["train_features"], made["train_target"], estimator, context)["estimator"]
    judge: Any = evaluate.regression if target == "score" else evaluate.classification
    judged = judge(fitted, made["test_features"], made["test_target"], rows, context=context, bootstrap=0)
    return {
        "estimator": fitted,
        "features": made["test_features"],
        "target": made["test_target"],
        "rows": rows,
        "predictions": judged["predictions"],
        "evaluation": judged["evaluation"],
        "train_features": made["train_features"],
        "train_target": made["train_target"],
        "preprocessor": made["preprocessor"],
        "context": context,
    }


ALWAYS = {"importance", "learning_curve"}
RANKED = {*ALWAYS, "confusion", "roc", "precision_recall", "calibration", "partial_dependence"}
LITTLE: Any = {"importance_repeats": 1, "top_features": 2, "learning_curve": [0.5]}
CASES = [
    ("score", Ridge(), {*ALWAYS, "residuals", "residual_distribution", "partial_dependence"}),
    ("label", LogisticRegression(), RANKED),
    ("truth", HistGradientBoostingClassifier(max_iter=10), RANKED),
    ("letter", LogisticRegression(max_iter=500), RANKED),
    ("label", LinearSVC(), {*ALWAYS, "confusion", "partial_dependence"}),
    ("letter", RidgeClassifier(), {*ALWAYS, "confusion", "partial_dependence"}),
]


@pytest.mark.parametrize(("target", "estimator", "figures"), CASES)
def test_every_kind_of_model_is_explained(
    target: str, estimator: Any, figures: set[str], table: pd.DataFrame, context: Still, tmp_path: Path
) -> None:
    """Text, truth values, 26 classes and numbers, with probabilities or not, all have what they can have.

    All of it can be stored, twice with the same bytes.
    """
    given = inputs(table, target, estimator, context)
    for name in ("a", "b"):
        found = explain.explain_model(**given, **LITTLE)
        (tmp_path / name).mkdir()
        JsonCodec().write(found["analysis"], tmp_path / name / "analysis.json")
        TableCodec().write(found["errors"], tmp_path / name / "errors.parquet")
        specs = {each: chart.to_dict() for each, chart in found["figures"].items()}
        (tmp_path / name / "specs.json").write_text(json.dumps(specs))
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert set(found["figures"]) == figures
    FigureCodec().write(found["figures"], tmp_path / "figures")
    for name in figures:
        told = json.loads((tmp_path / "figures" / f"{name}.json").read_text())["usermeta"]["headrace"]
        assert all(told[part] for part in ("title", "alt", "caption")), name
    assert context.logged == []


def test_importance_is_that_of_raw_columns(table: pd.DataFrame, context: Still) -> None:
    """Each raw column that reaches the model is shuffled whole; scikit-learn gives the same drops."""
    given = inputs(table, "label", LogisticRegression(), context)
    found = explain.explain_model(**given)["analysis"]["importance"]
    names = ["size", "number", "kind", "place", "flag", "constant"]
    model = Pipeline([("p", given["preprocessor"]), ("e", given["estimator"])])
    labels = given["target"].to_numpy(dtype=object).astype(str)
    wanted = permutation_importance(
        model, given["rows"][names], labels, scoring="roc_auc", n_repeats=5, random_state=context.seed
    )
    told = {each["name"]: each["mean"] for each in found["features"]}
    assert set(told) == set(names)
    for name, mean in zip(names, wanted.importances_mean, strict=True):
        assert told[name] == pytest.approx(mean, rel=1e-5, abs=1e-12)
    assert found["features"][0]["name"] == "size"
    assert told["constant"] == 0
    assert found["score"] == roc_auc_score(labels == "yes", model.predict_proba(given["rows"])[:, 1])


def test_without_a_preprocessor_it_is_that_of_features(table: pd.DataFrame, context: Still) -> None:
    """A pipeline of one's own may give no preprocessor: then the features are weighed."""
    given = inputs(table, "label", LogisticRegression(), context)
    del given["preprocessor"], given["evaluation"]
    found = explain.explain_model(**given, learning_curve=[])["analysis"]
    assert {each["name"] for each in found["importance"]["features"]} == set(given["features"].columns)


def test_of_many_columns_each_is_shuffled_less_often(table: pd.DataFrame, context: Still) -> None:
    """Wide tables cost no more shuffles than a fixed number, as long as each column has one."""
    wide = pd.concat([table, pd.DataFrame(0.0, table.index, [f"zero {at}" for at in range(74)])], axis=1)
    given = inputs(wide, "label", LogisticRegression(), context)
    found = explain.explain_model(**given, learning_curve=[], top_features=0)["analysis"]["importance"]
    assert (len(found["features"]), found["repeats"]) == (80, 2)


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_dependence_is_that_of_scikit_learn(positive: str, table: pd.DataFrame, context: Still) -> None:
    """The line of a number is scikit-learn's, for the declared positive class."""
    given = inputs(table, "label", LogisticRegression(), context)
    given["evaluation"]["positive"] = positive
    found = explain.explain_model(**given, learning_curve=[])["analysis"]["partial_dependence"]
    size = next(each for each in found["features"] if each["name"] == "size")
    model = Pipeline([("p", given["preprocessor"]), ("e", given["estimator"])])
    grid = {"size": np.array(size["values"])}
    wanted = partial_dependence(model, given["rows"], ["size"], custom_values=grid)["average"][0]
    assert size["of"] == "probability"
    assert np.allclose(size["lines"][positive], wanted if positive == "yes" else 1 - wanted, atol=1e-5)


def test_dependence_on_categories_and_constants(table: pd.DataFrame, context: Still) -> None:
    """Categories are the ten most frequent, truth values two, and a column of one value says so."""
    given = inputs(table, "label", HistGradientBoostingClassifier(max_iter=10), context, "ordinal")
    found = explain.explain_model(**given, learning_curve=[])["analysis"]["partial_dependence"]
    traced = {each["name"]: each for each in found["features"]}
    assert (traced["place"]["kind"], len(traced["place"]["values"])) == ("category", 10)
    assert traced["flag"]["values"] == ["False", "True"]
    assert traced["kind"]["values"] == ["p", "q", "r"]
    assert traced["constant"]["why"] == "it has one value"


def test_the_learning_curve_ends_at_the_model_itself(table: pd.DataFrame, context: Still) -> None:
    """Shares grow, scores are those of copies fitted on them, and the last point is the given estimator."""
    given = inputs(table, "letter", LogisticRegression(max_iter=500), context)
    found = explain.explain_model(**given, importance_repeats=0)["analysis"]["learning_curve"]
    assert [point["rows"] for point in found["points"]] == [30, 90, 180, 300]
    labels = given["target"].to_numpy(dtype=object).astype(str)
    last = f1_score(labels, given["estimator"].predict(given["features"]), average="macro")
    assert found["points"][-1]["test"] == last
    assert found["points"][0]["test"] < last
    capped = explain.explain_model(**given, importance_repeats=0, learning_rows=100)
    rows = [point["rows"] for point in capped["analysis"]["learning_curve"]["points"]]
    assert rows == [10, 30, 60, 100, 300]


def test_a_threshold_is_no_obstacle_to_learning(table: pd.DataFrame, context: Still) -> None:
    """An estimator wrapped to decide by a threshold learns anew on each share, as one without does."""
    given = inputs(table, "label", LogisticRegression(), context)
    plain = explain.explain_model(**given, importance_repeats=0)["analysis"]["learning_curve"]
    wrapped = FixedThresholdClassifier(FrozenEstimator(given["estimator"]), threshold=0.3)
    given["estimator"] = wrapped.fit(given["train_features"].iloc[:2], ["no", "yes"])
    assert explain.explain_model(**given, importance_repeats=0)["analysis"]["learning_curve"] == plain


def test_a_network_learns_with_checkpoints_of_its_own(table: pd.DataFrame, context: Still) -> None:
    """A torch model is bound to the context of each share, and neither logs nor reports its epochs."""
    pytest.importorskip("torch")
    from headrace.models.net import MLP

    given = inputs(table, "label", MLP(hidden=[4], max_epochs=2), context)
    context.logged.clear()
    context.reported.clear()
    found = explain.explain_model(**given, importance_repeats=0, learning_curve=[0.5])["analysis"]
    assert [point["rows"] for point in found["learning_curve"]["points"]] == [150, 300]
    assert (context.logged, context.reported) == ([], [])
    assert [path.name for path in context.workdir.iterdir() if path.is_dir()] == ["150 rows"]


def test_a_share_with_too_little_says_why(table: pd.DataFrame, context: Still) -> None:
    """A share that is too small for the estimator is told, and does not stop the others."""
    given = inputs(table, "label", KNeighborsClassifier(n_neighbors=50), context)
    found = explain.explain_model(**given, importance_repeats=0)["analysis"]["learning_curve"]["points"]
    assert "n_neighbors" in found[0]["why"]
    assert ["why" in point for point in found] == [True, False, False, False]


def test_test_rows_of_one_class_are_explained(table: pd.DataFrame, context: Still) -> None:
    """Where the test rows have one class, what needs two gives its reason and the rest is there."""
    given = inputs(table, "label", LogisticRegression(), context)
    kept = np.flatnonzero(given["target"] == "yes")
    for name in ("features", "target", "rows", "predictions"):
        given[name] = given[name].iloc[kept].reset_index(drop=True)
    found = explain.explain_model(**given)
    assert found["analysis"]["roc"] == {"why": "the test rows have one class"}
    assert found["analysis"]["importance"]["metric"] == "f1_macro"
    assert {"confusion", "calibration"} <= set(found["figures"])


def test_nothing_is_explained_where_nobody_asks(table: pd.DataFrame, context: Still) -> None:
    """Parts are left out by their params, and the option `none` leaves all out."""
    given = inputs(table, "score", Ridge(), context)
    found = explain.explain_model(**given, importance_repeats=0, learning_curve=[], worst=0)
    assert set(found["figures"]) == {"residuals", "residual_distribution"}
    assert len(found["errors"]) == 0
    assert explain.explain_nothing() == {"analysis": {}}


def test_importing_the_stage_loads_nothing_that_draws() -> None:
    """The stage's module is there without Altair, pandas and scikit-learn."""
    code = (
        "import sys, headrace.stages.explain;"
        "print([name for name in ('altair', 'sklearn', 'pandas', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
