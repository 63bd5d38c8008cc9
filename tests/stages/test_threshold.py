"""A threshold chosen by a rule, on rows that the model that is asked never saw."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from headrace.errors import StageError
from headrace.stages import evaluate, threshold, train


class Quiet:
    """A context that shows nothing."""

    seed = 5

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir

    def log(self, metrics: Any, step: int | None = None) -> None:
        """Log nowhere."""

    def report(self, step: int, value: float) -> None:
        """Report nowhere."""

    def progress(self, description: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda note: None)


class Known:
    """A model that gives the probabilities that it is made with."""

    def __init__(self, classes: list[Any], chances: np.ndarray) -> None:
        self.classes_ = np.array(classes)
        self._chances = chances

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        chance = self._chances[features["row"].to_numpy()]
        return np.stack([1 - chance, chance], axis=1)


@pytest.fixture
def context(tmp_path: Path) -> Quiet:
    return Quiet(tmp_path)


def choose(rule: Any, seed: int = 0, rows: int = 60, **more: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Choose by a rule among made-up probabilities; return the choice, and truth and scores held out."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(rows) % 3 == 0, "yes", "no")
    chances = np.clip(rng.normal(0.4, 0.2, rows) + 0.2 * (labels == "yes"), 0, 1).round(2)
    seen: list[np.ndarray] = []

    def fit(learned: np.ndarray) -> Any:
        seen.append(learned)
        return Known(["no", "yes"], chances)

    features = pd.DataFrame({"row": range(rows)})
    model = LogisticRegression()
    choice = threshold.choose_threshold({"rule": rule, **more}, model, features, labels, seed, fit)
    held = np.setdiff1d(np.arange(rows), seen[0])
    return choice, labels[held] == "yes", chances[held]


@given(st.integers(0, 500), st.sampled_from(["accuracy", "balanced_accuracy", "f1", "matthews_corrcoef"]))
def test_no_other_threshold_does_better(seed: int, metric: str) -> None:
    """What scikit-learn measures at the chosen threshold is told, and is the greatest there is."""
    choice, truth, scores = choose({"maximize": metric}, seed)
    score = getattr(
        sk, {"f1": "f1_score"}.get(metric, f"{metric}_score".replace("corrcoef_score", "corrcoef"))
    )
    reached = score(truth, scores >= choice["value"])
    others = [score(truth, scores >= value) for value in [*np.unique(scores), 1.1]]
    assert reached == pytest.approx(max(others))
    assert choice["reached"][metric] == pytest.approx(reached)
    assert choice["at_half"][metric] == pytest.approx(score(truth, scores >= 0.5))


def test_a_bound_is_kept() -> None:
    """`at_least` shuts out the thresholds that miss it, and the best of the others is taken."""
    rule = {"maximize": "precision", "at_least": {"recall": 0.9}}
    choice, truth, scores = choose(rule, rows=300)
    assert choice["rule"] == "maximize precision where recall ≥ 0.9"
    allowed = [value for value in np.unique(scores) if sk.recall_score(truth, scores >= value) >= 0.9]
    best = max(sk.precision_score(truth, scores >= value) for value in allowed)
    assert choice["reached"]["precision"] == pytest.approx(best)
    assert choice["reached"]["recall"] >= 0.9


def test_costs_are_weighed() -> None:
    """The chosen threshold has the least sum of costs, and dear misses lower it."""
    choice, truth, scores = choose({"cost": {"false_positive": 1, "false_negative": 5}}, rows=300)

    def cost(value: float) -> int:
        named = scores >= value
        return int((named & ~truth).sum() + 5 * (~named & truth).sum())

    assert cost(choice["value"]) == min(cost(value) for value in [0, *np.unique(scores), 1.1])
    cheap, _, _ = choose({"cost": {"false_positive": 5, "false_negative": 1}}, rows=300)
    assert choice["value"] < cheap["value"]


def test_the_curve_ends_at_everything_and_nothing() -> None:
    """The first threshold decides all rows positive, the last none, and the chosen one is among them."""
    choice, _, _ = choose({"maximize": "f1"}, rows=900)
    first, last = choice["curve"][0], choice["curve"][-1]
    assert (first["recall"], first["specificity"]) == (1, 0)
    assert (last["recall"], last["specificity"], last["precision"]) == (0, 1, 0)
    assert len(choice["curve"]) <= threshold.CURVE + 1
    assert choice["value"] in [point["threshold"] for point in choice["curve"]]


def test_the_other_class_can_be_the_positive_one() -> None:
    """`positive` turns the question round."""
    choice, _, _ = choose({"maximize": "recall"}, positive="no")
    assert choice["positive"] == "no"


def test_rows_held_out_are_seeded_and_keep_shares() -> None:
    """The share is held out, each class in its part, and the same rows for the same seed."""
    choice, truth, _ = choose({"maximize": "f1"}, rows=300, validation_share=0.1)
    assert (choice["rows"], truth.sum()) == (30, 10)
    assert choose({"maximize": "f1"}, rows=300)[0] == choose({"maximize": "f1"}, rows=300)[0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"rules": {"maximize": "f1"}}, "did you mean rule?"),
        ({}, "use {maximize: f1}"),
        ({"rule": {"maximize": "f1", "cost": {}}}, "use {maximize: f1}"),
        ({"rule": {"maximize": "acuracy"}}, "did you mean accuracy?"),
        ({"rule": {"maximize": "f1", "atleast": {}}}, "no such key beside maximize"),
        ({"rule": {"maximize": "f1", "at_least": {"recal": 0.5}}}, "did you mean recall?"),
        ({"rule": {"maximize": "f1", "at_least": {"recall": "x"}}}, "use a number"),
        ({"rule": {"maximize": "f1", "at_least": {"accuracy": 1, "recall": 1}}}, "no threshold meets"),
        ({"rule": {"cost": {"false_positive": 1}}}, "wants both"),
        ({"rule": {"cost": 3}}, "use {false_positive: number}"),
        ({"rule": {"maximize": "f1"}, "validation_share": 1.5}, "use a share"),
        ({"rule": {"maximize": "f1"}, "validation_share": 0.001}, "cannot spare"),
        ({"rule": {"maximize": "f1"}, "positive": "yess"}, "did you mean yes?"),
    ],
)
def test_what_is_no_rule_says_what_to_type(wanted: dict[str, Any], said: str, context: Quiet) -> None:
    """Each wrong way to ask for a threshold names the key and what is allowed."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": rng.normal(size=60)})
    target = pd.Series(np.where(np.arange(60) % 2, "yes", "no"), name="t")
    with pytest.raises(StageError) as caught:
        train.fit(features, target, LogisticRegression(), context, threshold=wanted)
    assert "stages.train.params.threshold" in str(caught.value)
    assert said in str(caught.value)


def test_what_has_no_threshold_is_refused(context: Quiet) -> None:
    """Three classes, and an estimator without probabilities, are told to go without."""
    features = pd.DataFrame({"x": np.arange(30.0)})
    rule = {"rule": {"maximize": "f1"}}
    three = pd.Series(np.arange(30) % 3, name="t")
    with pytest.raises(StageError, match="needs two classes, and there are 3"):
        train.fit(features, three, LogisticRegression(), context, threshold=rule)
    with pytest.raises(StageError, match="needs probabilities, which RidgeClassifier"):
        train.fit(features, three % 2, RidgeClassifier(), context, threshold=rule)


def test_the_model_that_is_trained_decides_by_it(context: Quiet) -> None:
    """It learned from all rows, predicts by the threshold, and evaluation tells how that was chosen."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": rng.normal(size=300)})
    target = pd.Series(features["x"] + rng.normal(size=300) > 1, name="t")
    rule = {"rule": {"cost": {"false_positive": 1, "false_negative": 9}}}
    plain = train.fit(features, target, LogisticRegression(), context)["estimator"]
    model = train.fit(features, target, LogisticRegression(), context, threshold=rule)["estimator"]
    chances = model.predict_proba(features)
    assert (chances == plain.predict_proba(features)).all()
    value = model.threshold_choice_["value"]
    assert value < 0.4
    assert (model.predict(features) == (chances[:, 1] >= value)).all()
    document = evaluate.classification(model, features, target)["evaluation"]
    assert document["threshold"] == model.threshold_choice_
    assert list(model.feature_names_in_) == ["x"]


def test_folds_choose_their_own(context: Quiet) -> None:
    """Cross-validation scores models that decide by a threshold, and the last is one too."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": rng.normal(size=200)})
    target = pd.Series(features["x"] + rng.normal(size=200) > 1.2, name="t")
    rule = {"rule": {"maximize": "f1"}}
    scored = {
        name: train.cross_validate(
            features, target, LogisticRegression(), context, folds=3, scoring="f1", threshold=given
        )
        for name, given in (("plain", None), ("rule", rule))
    }
    assert scored["rule"]["scores"]["mean"] > scored["plain"]["scores"]["mean"]
    assert scored["rule"]["estimator"].threshold_choice_["rule"] == "maximize f1"
