"""Judging a classifier: the document, the record's metrics, baseline, champion and slices."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from headrace.errors import StageError
from headrace.stages import evaluate

KEYS = {"value", "low", "high", "greater_is_better", "baseline", "champion", "gain", "gain_low", "gain_high"}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=240), "sex": rng.choice(["f", "m"], 240)})
    score = table["x"] + rng.normal(size=240)
    return table.assign(
        w=rng.gamma(1.0, size=240),
        two=np.where(score > 0.4, "yes", "no"),
        three=np.select([score > 0.7, score < -0.7], ["high", "low"], "middle"),
    )


def judge(rows: pd.DataFrame, target: str = "two", **params: Any) -> dict[str, Any]:
    """Fit on the rows and judge on them: what is learned does not matter here."""
    model = LogisticRegression().fit(rows[["x"]], rows[target])
    return evaluate.classification(
        model, rows[["x"]], rows[target], rows, rows[target], **{"bootstrap": 60, **params}
    )


def raw_model(rows: pd.DataFrame, target: str = "two", **params: Any) -> Pipeline:
    """Make a model as it is published: it takes raw rows."""
    columns = make_column_transformer(("passthrough", ["x"]), (OneHotEncoder(), ["sex"]))
    return make_pipeline(columns, LogisticRegression(**params)).fit(rows, rows[target])


def test_the_document_says_everything_of_each_metric(rows: pd.DataFrame) -> None:
    """It is JSON without NaN, each metric lies in its interval, and the record has the same values."""
    out = judge(rows)
    document = out["evaluation"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["task"], document["classes"], document["positive"]) == ("binary", ["no", "yes"], "yes")
    assert (document["rows"], document["level"], document["resamples"]) == (240, 0.95, 60)
    assert (document["baseline"], document["champion"], document["threshold"]) == ("prior", None, None)
    assert set(document["metrics"]) == {
        *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "matthews_corrcoef"),
        *("roc_auc", "average_precision", "log_loss", "brier"),
    }
    for name, entry in document["metrics"].items():
        assert set(entry) == KEYS
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert out["metrics"][name] == entry["value"]
    assert list(out["predictions"].columns) == ["target", "predicted", "p_no", "p_yes"]


def test_three_classes_have_the_metrics_of_three(rows: pd.DataFrame) -> None:
    """Macro averages take the place of what needs a positive class."""
    document = judge(rows, "three")["evaluation"]
    assert (document["task"], document["positive"]) == ("multiclass", None)
    assert set(document["metrics"]) == {
        *("accuracy", "balanced_accuracy", "precision_macro", "f1_macro", "matthews_corrcoef"),
        *("log_loss", "brier"),
    }


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "stratified", "uniform"])
def test_the_baseline_is_scikit_learns(strategy: str, rows: pd.DataFrame) -> None:
    """What the dummy of that strategy says of the test rows is what must be beaten."""
    dummy = DummyClassifier(strategy=strategy, random_state=0).fit(rows[["x"]], rows["two"])
    found = judge(rows, baseline=strategy)["evaluation"]["metrics"]
    assert found["accuracy"]["baseline"] == pytest.approx(dummy.score(rows[["x"]], rows["two"]))
    wanted = sk.log_loss(rows["two"], dummy.predict_proba(rows[["x"]]))
    assert found["log_loss"]["baseline"] == pytest.approx(wanted)


def test_without_training_labels_there_is_no_baseline(rows: pd.DataFrame) -> None:
    """The baseline learns from them; none is made up."""
    model = LogisticRegression().fit(rows[["x"]], rows["two"])
    document = evaluate.classification(model, rows[["x"]], rows["two"], bootstrap=0)["evaluation"]
    assert document["baseline"] is None
    assert document["metrics"]["accuracy"]["baseline"] is None
    assert document["metrics"]["accuracy"]["low"] is None


def test_the_gain_is_turned_so_that_greater_is_better(rows: pd.DataFrame) -> None:
    """Against a worse champion the gain is positive, in losses too, and lies in its interval."""
    champion = raw_model(rows, C=1e-4)
    document = judge(rows, champion=champion)["evaluation"]
    assert document["champion"] == {"estimator": "LogisticRegression", "why": None}
    for name in ("log_loss", "brier"):
        entry = document["metrics"][name]
        assert entry["gain"] == pytest.approx(entry["champion"] - entry["value"])
        assert 0 < entry["gain_low"] <= entry["gain"] <= entry["gain_high"]
    accuracy = document["metrics"]["accuracy"]
    assert accuracy["champion"] == pytest.approx(champion.score(rows, rows["two"]))
    assert accuracy["gain"] == pytest.approx(accuracy["value"] - accuracy["champion"])


def test_the_gain_over_itself_is_nothing(rows: pd.DataFrame) -> None:
    """Both see the same resamples: an equal model gains 0 in each of them."""
    model = raw_model(rows)
    whole = evaluate.classification(
        model, rows, rows["two"], rows, champion=model, bootstrap=60, slices=["sex"]
    )
    entries = [whole["evaluation"]["metrics"]]
    entries += [group["metrics"] for group in whole["evaluation"]["slices"][0]["groups"]]
    for entry in (entry for metrics in entries for entry in metrics.values()):
        assert (entry["gain"], entry["gain_low"], entry["gain_high"]) == (0, 0, 0)


def test_a_champion_that_cannot_answer_fails_nothing(rows: pd.DataFrame) -> None:
    """Other columns, other labels, or no rows: the document says why, and there is no gain."""
    elsewhere = rows.rename(columns={"x": "length"})
    columns = make_column_transformer(("passthrough", ["length"]))
    champions = {
        "cannot predict these rows": make_pipeline(columns, LogisticRegression()).fit(elsewhere, rows["two"]),
        "other classes: high, low, middle": raw_model(rows, "three"),
    }
    for why, champion in champions.items():
        document = judge(rows, champion=champion)["evaluation"]
        assert why in document["champion"]["why"]
        assert document["metrics"]["accuracy"]["champion"] is None
        assert document["metrics"]["accuracy"]["gain"] is None
    model = raw_model(rows)
    document = evaluate.classification(model, rows, rows["two"], champion=model, bootstrap=0)["evaluation"]
    assert "was not given the test rows" in document["champion"]["why"]


def test_a_champion_without_probabilities_is_compared_by_labels(rows: pd.DataFrame) -> None:
    """Where it gives no probabilities, only what needs them has no gain."""
    columns = make_column_transformer(("passthrough", ["x"]))
    champion = make_pipeline(columns, RidgeClassifier()).fit(rows, rows["two"])
    found = judge(rows, champion=champion)["evaluation"]["metrics"]
    assert found["accuracy"]["gain"] is not None
    assert (found["roc_auc"]["champion"], found["roc_auc"]["gain"]) == (None, None)


def test_a_slice_is_measured_on_its_rows(rows: pd.DataFrame) -> None:
    """Each group has its count, scikit-learn's values on its rows, an interval, and no baseline."""
    document = judge(rows, slices=["sex", ["sex", {"x": [0]}]])["evaluation"]
    first, second = document["slices"]
    assert (first["by"], second["by"]) == (["sex"], ["sex", "x"])
    model = LogisticRegression().fit(rows[["x"]], rows["two"])
    for group in first["groups"]:
        part = rows[rows["sex"] == group["name"].removeprefix("sex=")]
        assert group["rows"] == len(part)
        accuracy, area = group["metrics"]["accuracy"], group["metrics"]["roc_auc"]
        assert accuracy["value"] == pytest.approx(model.score(part[["x"]], part["two"]))
        wanted = sk.roc_auc_score(part["two"], model.predict_proba(part[["x"]])[:, 1])
        assert area["value"] == pytest.approx(wanted)
        assert area["low"] < area["value"] < area["high"]
        assert "baseline" not in area
    assert [group["name"] for group in second["groups"]] == [
        *("sex=f, x<0", "sex=f, x>=0", "sex=m, x<0", "sex=m, x>=0")
    ]


def test_what_a_group_does_not_determine_says_why(rows: pd.DataFrame) -> None:
    """A group of one class has no ranking, one of few rows no interval, and both say so."""
    table = rows.assign(part=rows["two"].where(rows.index > 3, "few"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = {g["name"]: g for g in judge(table, slices=["part"])["evaluation"]["slices"][0]["groups"]}
    area = groups["part=no"]["metrics"]["roc_auc"]
    assert (area["value"], area["low"]) == (None, None)
    assert area["why"] == "needs rows of both classes"
    assert groups["part=no"]["metrics"]["recall"]["why"] == "no row has the positive class"
    few = groups["part=few"]["metrics"]["accuracy"]
    assert few["value"] is not None
    assert (few["low"], few["why"]) == (None, "no interval: fewer than 10 rows")


def test_weights_count_everywhere(rows: pd.DataFrame) -> None:
    """Values, baseline, slices and fairness are weighted, as scikit-learn weighs."""
    document = judge(rows, weights="w", slices=["sex"], fairness=["sex"])["evaluation"]
    model = LogisticRegression().fit(rows[["x"]], rows["two"])
    assert document["weights"] == "w"
    assert document["metrics"]["accuracy"]["value"] == pytest.approx(
        model.score(rows[["x"]], rows["two"], rows["w"])
    )
    share = rows["w"][rows["two"] == "no"].sum() / rows["w"].sum()
    assert document["metrics"]["accuracy"]["baseline"] == pytest.approx(share)
    part = rows[rows["sex"] == "f"]
    value = document["slices"][0]["groups"][0]["metrics"]["accuracy"]["value"]
    assert value == pytest.approx(model.score(part[["x"]], part["two"], part["w"]))
    named = model.predict(part[["x"]]) == "yes"
    rate = document["fairness"][0]["groups"][0]["selection_rate"]
    assert rate == pytest.approx(part["w"][named].sum() / part["w"].sum())


def test_the_positive_class_can_be_named(rows: pd.DataFrame) -> None:
    """`positive` turns precision, recall and ranking round; a wrong name offers the near one."""
    model = LogisticRegression().fit(rows[["x"]], rows["two"])
    found = judge(rows, positive="no")
    assert found["evaluation"]["positive"] == "no"
    wanted = sk.recall_score(rows["two"], model.predict(rows[["x"]]), pos_label="no")
    assert found["metrics"]["recall"] == pytest.approx(wanted)
    with pytest.raises(StageError, match=r"did you mean stages\.evaluate\.params\.positive=yes"):
        judge(rows, positive="yess")
    with pytest.raises(StageError, match="of 3 classes"):
        judge(rows, "three", positive="low")
    truth = rows.assign(flag=rows["two"] == "yes")
    assert judge(truth, "flag", positive=False)["evaluation"]["positive"] is False


def test_the_seed_is_the_runs(rows: pd.DataFrame) -> None:
    """The same seed gives the same intervals, another seed others, and values are the same."""

    class Context:
        def __init__(self, seed: int) -> None:
            self.seed = seed

    first, again, other = (judge(rows, context=Context(seed)) for seed in (1, 1, 2))
    assert first["evaluation"] == again["evaluation"]
    assert first["metrics"] == other["metrics"]
    assert first["evaluation"]["metrics"]["accuracy"] != other["evaluation"]["metrics"]["accuracy"]


def test_rows_that_cannot_be_measured_are_refused(rows: pd.DataFrame) -> None:
    """No rows, other rows than the features, or one class: each is told before anything is measured."""
    model = LogisticRegression().fit(rows[["x"]], rows["two"])
    with pytest.raises(StageError, match="no test rows"):
        evaluate.classification(model, rows[["x"]][:0], rows["two"][:0])
    with pytest.raises(StageError, match="rows are 9 and their features 240"):
        evaluate.classification(model, rows[["x"]], rows["two"], rows[:9])
    one = rows[rows["two"] == "no"]
    with pytest.raises(StageError, match="one class; roc_auc needs both"):
        evaluate.classification(model, one[["x"]], one["two"])
